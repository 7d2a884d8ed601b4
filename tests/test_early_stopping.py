"""The benchmark of early stopping, on trainings as it makes them and on labelled runs."""

import early_stopping
from labelled import SAMPLE


def test_stopping_by_forecast_saves_epochs_and_loses_nothing_on_a_real_search() -> None:
    search = early_stopping.trained("overlapping blobs", 1, 12, 12)
    tally = early_stopping.gone_through(search, 3, early_stopping.forecast_stops)
    assert tally.runs == 36
    assert tally.stopped > 3
    assert tally.saved > 0.05
    assert (tally.wrong, tally.worse) == (0, 0.0)
    by_median = early_stopping.gone_through(search, 3, early_stopping.median_stops)
    assert by_median.stopped > 3


def test_labelled_runs_make_a_search_a_task() -> None:
    searches = early_stopping.labelled(SAMPLE)
    assert sum(map(len, searches.values())) > 20
    task, runs = max(searches.items(), key=lambda pair: len(pair[1]))
    table = list(early_stopping.rows({task: runs}, 1))
    assert [row.split(" | ")[1] for row in table] == ["forecast", "median"]
