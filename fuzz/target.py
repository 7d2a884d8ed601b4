"""What is fuzzed: bytes in, and a promise that holds for all of them."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

Mutate = Callable[[bytes, int], bytes]
"""Changes bytes somewhere, to no more than so many."""


class BrokenPromise(AssertionError):
    """The code answered, and what it answered is wrong."""


def promise(kept: object, what: str) -> None:
    """Raises BrokenPromise, in a sentence."""
    if not kept:
        raise BrokenPromise(what)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One thing that is fuzzed.

    check: returns when every promise is kept for these bytes, an error that is told on purpose included; raises
    whatever escaped, and BrokenPromise. seeds: real inputs to begin with. words: what its grammar is made of.
    mutated: changes an input where blind changes would only break a checksum: (input, most bytes, chance, mutate).
    covers: the modules whose lines and branches are counted, by name or as a package. most_bytes: of one input.
    """

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    covers: Sequence[str]
    words: Sequence[bytes] = ()
    mutated: Callable[[bytes, int, random.Random, Mutate], bytes] | None = None
    most_bytes: int = 2048

    def cases(self) -> list[Path]:
        """What fuzzing once found, to be checked for ever."""
        return sorted((CASES / self.name).glob("*")) if (CASES / self.name).is_dir() else []


CASES = Path(__file__).parent / "cases"
