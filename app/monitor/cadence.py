"""How often a run is heard of, and after how long a silence something must have happened to it.

Gaps between batches are counted by length, in powers of two: `counts[n]` gaps took 2**n to 2**(n+1) seconds, those of
less than two seconds are in the first. So a few numbers remember a run of any length.
"""

from collections.abc import Sequence

_BUCKETS = 24  # the last one holds everything from half a year
_ENOUGH = 3  # [gaps] fewer tell nothing about what is usual
_UNKNOWN_S = 24 * 3600.0  # the longest silence while nothing is known
_TIMES_USUAL = 4.0
# Of the longest silence that ended by itself. A job that evaluates for an hour after each epoch is silent for an hour,
# though half of its gaps take a second.
_TIMES_LONGEST = 2.0
_MIDDLE = 1.5  # of a bucket, in units of its lower end


def noted(counts: Sequence[int], elapsed_s: float, batches: int, looked_every_s: float) -> list[int]:
    """The counts with these batches, the last of which came `elapsed_s` after what was heard before them.

    looked_every_s: how often it is looked whether there are new ones. If much more time than that went by, it did so
    before the first of them.
    """
    after = [*counts, *[0] * (_BUCKETS - len(counts))]
    if batches <= 0 or elapsed_s < 0:
        return after
    if elapsed_s > 2 * looked_every_s:
        after[_bucket(elapsed_s)] += 1
        batches, elapsed_s = batches - 1, looked_every_s
    if batches:
        after[_bucket(elapsed_s / batches)] += batches
    return after


def longest_silence(counts: Sequence[int], floor_s: float) -> float:
    """After how long without a word a run is called stalled, at least `floor_s` [s]."""
    known = sum(counts)
    if known < _ENOUGH:
        return max(floor_s, _UNKNOWN_S)
    so_far, median = 0, 0
    for bucket, count in enumerate(counts):
        so_far += count
        if 2 * so_far >= known:
            median = bucket
            break
    longest = max(bucket for bucket, count in enumerate(counts) if count)
    return max(floor_s, _TIMES_USUAL * _length(median), _TIMES_LONGEST * _length(longest))


def _bucket(gap_s: float) -> int:
    return min(max(int(gap_s), 1).bit_length() - 1, _BUCKETS - 1)


def _length(bucket: int) -> float:
    return float(_MIDDLE * 2**bucket)
