"""A connection to Postgres that does not wait for ever.

A server that is frozen, or out of reach behind a switch that failed, still has its connections: nothing arrives on them
and nothing fails, and its own timeouts are of no use. So the wait ends here.
"""

import time
from collections.abc import Generator
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen


class PatientConnection(psycopg.Connection[Any]):
    """patience_s: after so long without a sign of the server the connection is closed, with OperationalError [s]."""

    patience_s = 10.0

    def wait(self, gen: PQGen[RV], *given: Any, **named: Any) -> RV:
        """What every statement waits in; `gen` is told of each interval in which nothing arrived."""
        try:
            return super().wait(self._ended(gen), *given, **named)
        except TimeoutError as error:
            self.pgconn.finish()  # what was sent may still be answered, and that would be taken for the next answer
            raise psycopg.OperationalError(str(error)) from None

    def _ended(self, gen: PQGen[RV]) -> Generator[Any, Any, RV]:
        heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard = now
                elif now - heard > self.patience_s:
                    raise TimeoutError(f"nothing arrived for {self.patience_s:g} s")
                wanted = gen.send(ready)
        except StopIteration as ended:
            value: RV = ended.value
            return value
