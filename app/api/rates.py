"""How often a token may be used: a bucket for each, so that whoever floods the server is the one who waits."""

import math
import time
from collections.abc import Callable

from app.errors import TooManyRequests
from app.recent import Recent

_BURST_S = 2.0  # so many seconds' worth of requests may come at once
_RECENT = 10_000


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
