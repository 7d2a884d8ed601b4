"""After how long a silence something must have happened."""

import pytest

from app.monitor.cadence import longest_silence, noted

FLOOR_S, HOUR_S, DAY_S = 300.0, 3600.0, 86_400.0


def counts(*gaps_s: float, batches: int = 1) -> list[int]:
    made: list[int] = []
    for gap_s in gaps_s:
        made = noted(made, gap_s, batches, 5.0)
    return made


def test_a_job_that_logs_all_the_time_is_missed_after_the_floor() -> None:
    assert longest_silence(counts(*[2.0] * 100, batches=20), FLOOR_S) == FLOOR_S
    assert longest_silence(counts(*[60.0] * 10), 1.0) == pytest.approx(4 * 60, rel=0.5)


@pytest.mark.parametrize("every_s", [HOUR_S, 1.9 * HOUR_S, 7 * HOUR_S, 3 * DAY_S])
def test_a_job_that_evaluates_seldom_is_not_missed_before_its_next_word_is_well_over_due(every_s: float) -> None:
    for known in (3, 4, 50):
        silence = longest_silence(counts(*[every_s] * known), FLOOR_S)
        assert 2 * every_s < silence < 9 * every_s


def test_an_hour_of_evaluation_between_hours_of_steps_is_usual() -> None:
    assert longest_silence(counts(*[5.0] * 700, HOUR_S, *[5.0] * 700), FLOOR_S) > 1.4 * HOUR_S


def test_while_little_is_known_a_job_has_a_day() -> None:
    for few in ([], counts(HOUR_S), counts(1.0, 1.0)):
        assert longest_silence(few, FLOOR_S) == DAY_S
    assert longest_silence(counts(1.0, batches=3), FLOOR_S) == FLOOR_S


def test_a_long_pause_before_many_batches_is_one_pause() -> None:
    assert longest_silence(counts(0.5, HOUR_S, batches=50), FLOOR_S) > 1.4 * HOUR_S
    assert sum(counts(HOUR_S, batches=50)) == 50


def test_clocks_that_disagree_tell_nothing() -> None:
    assert sum(counts(-3.0)) == sum(noted([], 3.0, 0, 5.0)) == 0
    assert longest_silence(noted([5], 1e12, 1, 5.0), FLOOR_S) < 1e8
