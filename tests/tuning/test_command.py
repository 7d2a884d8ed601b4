import json

import pytest

from app.errors import InvalidInput
from app.search.answers import Proposal
from app.tuning.command import Command, Identity, environment, flattened

HERE = Identity("http://127.0.0.1:1", "p", "s")
PARAMETERS = ("lr", "optimizer.decay", "width", "act")


def proposal(**settings: object) -> Proposal:
    return Proposal(
        run="s-2-1",
        search_step=2,
        config={"lr": 1e-5, "optimizer": {"decay": 0.0}, "width": 32, "act": "relu"},
        planned_epochs=None,
        planned_steps=500.0,
        settings=settings,
        why="to see",
    )


def filled(*words: str, **settings: object) -> list[str]:
    command = Command(("env", *words))
    command.check_program()
    command.check(PARAMETERS)
    return command.fill(proposal(**settings), HERE)[1:]


def test_placeholders_take_parameters_settings_and_names() -> None:
    assert filled("--lr={lr}", "{optimizer.decay}", "{width}", "{act}") == ["--lr=1e-05", "0", "32", "relu"]
    assert filled("{project}/{run}", "{search}{search_step}", "{planned_steps:9}") == ["p/s-2-1", "s2", "500"]
    assert filled("{sample_size:-1}", "{seed:}", seed=3) == ["-1", "3"]
    assert filled("{schedule:}") == [""]


def test_braces_that_are_no_placeholders_stay() -> None:
    assert filled('{"a": {"b": 1}}', "{{lr}}", "{}", "${HOME}") == ['{"a": {"b": 1}}', "{lr}", "{}", "${HOME}"]


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("{learning_rate}", "nothing for {learning_rate}"),
        ("{learning_rate:0.1}", "nothing for {learning_rate:0.1}"),
        ("{sample_size}", "give a default, such as {sample_size:0}"),
    ],
)
def test_a_placeholder_that_some_trial_cannot_fill_is_refused_before_anything_runs(word: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says.replace("{", r"\{")):
        Command(("env", word)).check(PARAMETERS)


def test_a_program_that_is_not_there_is_refused_before_anything_runs() -> None:
    with pytest.raises(InvalidInput, match="'no-such-program' is not found"):
        Command(("no-such-program",)).check_program()
    with pytest.raises(InvalidInput, match="is no program"):
        Command((__file__,)).check_program()
    with pytest.raises(InvalidInput, match="after --"):
        Command(()).check_program()


def test_the_environment_holds_the_identity_and_the_configuration() -> None:
    found = environment(proposal(sample_size=20), HERE)
    assert found["CURVEWISE_URL"] == "http://127.0.0.1:1"
    identity = [found[f"CURVEWISE_{name}"] for name in ("PROJECT", "RUN", "SEARCH", "SEARCH_STEP")]
    assert identity == ["p", "s-2-1", "s", "2"]
    assert json.loads(found["CURVEWISE_CONFIG"]) == proposal().config
    assert json.loads(found["CURVEWISE_SETTINGS"]) == {"sample_size": 20, "planned_steps": 500.0}


def test_a_nested_configuration_is_flattened_to_dotted_names() -> None:
    assert dict(flattened(proposal().config)) == {"lr": 1e-5, "optimizer.decay": 0.0, "width": 32, "act": "relu"}
