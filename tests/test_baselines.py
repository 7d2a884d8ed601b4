"""The benchmark of comparisons with baselines, on the trainings it is quoted for."""

import baselines
from app.demo.train import RECIPES


def test_a_spoiled_training_is_told_from_another_seed() -> None:
    few, recipe = 3, next(recipe for recipe in RECIPES if recipe.name == "mlp-cosine")
    sane = [each["val/loss"] for each in baselines.trained(recipe, few)]
    spoiled = [each["val/loss"] for each in baselines.trained(baselines.WORSE["a tenth of the rate"], few)]
    same, worse = list(baselines.unchanged(sane)), list(baselines.worse(spoiled, sane))
    assert (len(same), len(worse)) == (6, 9)
    assert len({run.value for run, *_ in same}) == few, "seeds make a difference"
    for with_history in (False, True):
        assert baselines.outcomes(same, with_history=with_history)["fail"] == 0
        assert baselines.outcomes(worse, with_history=with_history) == {"fail": 9}
