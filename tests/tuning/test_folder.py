from pathlib import Path

import pytest

from app.search.answers import Proposal
from app.tuning.folder import Busy, Folder


def proposal(run: str) -> Proposal:
    return Proposal(
        run=run,
        search_step=4,
        config={"lr": 0.1},
        planned_epochs=3.0,
        planned_steps=None,
        settings={"seed": 1},
        why="w",
    )


def test_a_trial_is_unfinished_until_it_has_ended(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "p" / "s")
    with folder.held():
        assert folder.unfinished() == []
        folder.begin(proposal("s-4-2"))
        folder.begin(proposal("s-4-1"))
        assert Folder(tmp_path / "p" / "s").unfinished() == [proposal("s-4-1"), proposal("s-4-2")]
        folder.end("s-4-1")
        folder.end("s-4-1")
        assert folder.unfinished() == [proposal("s-4-2")]


def test_a_file_that_is_no_trial_is_left_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "notes.json").write_text("[1")
    assert folder.unfinished() == []
    assert (tmp_path / "notes.json").exists()


def test_two_walks_do_not_share_a_folder(tmp_path: Path) -> None:
    with Folder(tmp_path / "s").held(), pytest.raises(Busy, match="--jobs"), Folder(tmp_path / "s").held():
        raise AssertionError("unreachable")
    with Folder(tmp_path / "s").held():
        pass


def test_points_that_wait_are_told_from_those_of_other_trials(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.spool("a").mkdir(parents=True)
    assert not folder.unsent("a")
    (folder.spool("a") / "segment").write_text("x")
    assert folder.unsent("a")
    assert not folder.unsent("b")
    assert folder.spool("a").is_absolute()
