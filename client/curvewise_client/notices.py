"""What the client has to say, each thing once: a job's log is no place for a warning a step."""

from __future__ import annotations

import logging
from contextlib import suppress

_LOG = logging.getLogger("curvewise_client")  # with no logging set up, Python prints warnings to stderr


class Notices:
    """Warnings of one run."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def once(self, kind: str, message: str) -> None:
        """Print the warning unless one of its kind was printed before. Raises nothing."""
        if kind not in self._said:
            self._said.add(kind)
            self.say(message)

    def say(self, message: str) -> None:
        """Print the warning. Raises nothing."""
        with suppress(Exception):  # a handler of the job's own may do anything
            _LOG.warning("curvewise: %s", message)
