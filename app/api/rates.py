"""How often a token may be used, and how much at once, so that whoever floods the server is the one who waits."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.errors import TooManyRequests
from app.recent import Recent

_BURST_S = 2.0  # so many seconds' worth of requests may come at once
_RECENT = 10_000
_COME_BACK_S = 10


class Rates:
    """Of one process. per_s: requests a second and token; 0 for any number. clock: [s], never going back."""

    def __init__(self, per_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._most = per_s * _BURST_S
        self._clock = clock
        self._left: Recent[str, tuple[float, float]] = Recent(_RECENT)  # token -> requests left, as of when

    def take(self, token: str | None) -> None:
        """One more request of this token. Raises TooManyRequests."""
        if not self._per_s or token is None:
            return
        now = self._clock()
        left, since = self._left.get(token) or (self._most, now)
        left = min(self._most, left + (now - since) * self._per_s)
        if left < 1:
            self._left.put(token, (left, now))
            raise TooManyRequests(
                f"this token may be used {self._per_s} times a second; send larger batches, or less often",
                retry_after_s=max(1, math.ceil((1 - left) / self._per_s)),
                per_s=self._per_s,
            )
        self._left.put(token, (left - 1, now))


class Streams:
    """How many streams are open, of everybody and of each token; used on the event loop only."""

    def __init__(self, most: int) -> None:
        """most: of everybody in this process. One token may have half of them, so that none keeps the others out."""
        self._most = most
        self._open: Counter[str | None] = Counter()

    def check(self, token: str | None) -> None:
        """Raise TooManyRequests when one more is one too many. token: None for whoever came without one."""
        whose = self._most if token is None else max(1, self._most // 2)
        if self._open.total() >= self._most or self._open[token] >= whose:
            raise TooManyRequests(
                f"{self._open[token]} streams are open here already; close some, or ask for the diagnosis now and then",
                retry_after_s=_COME_BACK_S,
                per_s=0,
            )

    @contextmanager
    def one(self, token: str | None) -> Iterator[None]:
        """One more for as long as the block lasts."""
        self._open[token] += 1
        try:
            yield
        finally:
            self._open[token] -= 1
            self._open += Counter()  # keeps those above zero
