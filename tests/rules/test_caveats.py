"""What rules do with the known lies of a source: each reaction fires, and none comes without its caveat."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from app.curves.curve import Curve, Curves, make_curve
from app.diagnosis import diagnose
from app.rules.catalogue import CATALOGUE
from app.rules.caveats import Lie, as_measured, lies_in
from app.rules.context import Context
from app.rules.hidden import stuck_from
from app.rules.verdict import Clear, Finding, Skipped
from tests.builders import CHANCE, SHAPES, run
from tests.judging import SEEDS, curves_of, finding, skip_reason, verdict, without

CLASSES = Context(num_classes=10, state="finished")


def told(context: Context, *lies: Lie) -> Context:
    return replace(context, caveats=tuple(lie.said("as its documentation says") for lie in lies))


def test_a_known_caveat_begins_with_its_code_and_any_other_is_text() -> None:
    said = Lie.ROUNDED.said("losses have five decimals")
    assert said == "rounded: losses have five decimals"
    assert lies_in((said, "smoothed", "train/loss is a running mean", "rounded badly")) == {Lie.ROUNDED, Lie.SMOOTHED}


def test_contexts_that_were_stored_before_are_read_as_text() -> None:
    stored = {"num_classes": 10, "caveats": ["train metrics are means over each epoch (Keras)"]}
    context = TypeAdapter(Context).validate_python(stored)
    assert context.lies == frozenset()
    assert context.caveats == ("train metrics are means over each epoch (Keras)",)


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_text_changes_no_verdict(shape: str) -> None:
    curves, context = run(shape, 0)
    assert diagnose(curves, replace(context, caveats=("means over each epoch",))) == diagnose(curves, context)


class TestNonFiniteHidden:
    """NaN is replaced or dropped."""

    def test_exploding_is_not_clear_where_no_validation_would_show_it(self) -> None:
        for seed in SEEDS:
            curves, context = run("healthy_cosine", seed)
            alone = without(curves, "val/loss", "val/accuracy")
            assert isinstance(verdict("exploding", alone, context), Clear)
            reason = skip_reason("exploding", alone, told(context, Lie.NON_FINITE_HIDDEN))
            assert reason.endswith("no validation shows whether there were any")

    def test_exploding_is_clear_as_far_as_validation_goes(self) -> None:
        for seed in SEEDS:
            curves, context = run("healthy_cosine", seed)
            context = told(context, Lie.NON_FINITE_HIDDEN)
            clear = verdict("exploding", curves, context)
            assert isinstance(clear, Clear)
            assert clear.evidence[0].name == "non_finite_evaluations"  # no claim about train
            early = Curves({**curves, "val/loss": curves["val/loss"].through(400)})
            assert "no validation" in skip_reason("exploding", early, context)

    def test_it_does_not_flicker_between_evaluations(self) -> None:
        curves, context = run("healthy_cosine", 0)
        context = told(replace(context, state="running"), Lie.NON_FINITE_HIDDEN)
        answers = [verdict("exploding", curves.through(step), context) for step in range(21, 200, 3)]
        assert all(isinstance(answer, Clear) for answer in answers)

    def test_what_shows_is_found_all_the_same(self) -> None:
        context = told(CLASSES, Lie.NON_FINITE_HIDDEN)
        climb = np.concatenate([np.linspace(2.3, 1.0, 50), np.full(50, 40.0)])
        assert finding("exploding", curves_of(train_loss=climb), context).severity == "error"
        nan = curves_of(train_loss=[2.3] * 10, val_loss=[2.3] * 9 + [np.nan])
        assert finding("exploding", nan, context).severity == "error"

    def test_a_loss_that_stands_still_to_the_last_bit_may_be_none(self) -> None:
        replaced = curves_of(train_loss=[*np.linspace(2.3, 0.9, 30), 0.0, 0.0, 0.0, 0.0])
        context = told(CLASSES, Lie.NON_FINITE_HIDDEN)
        assert isinstance(verdict("not_decreasing", replaced, CLASSES), Clear)
        for rule in ("not_decreasing", "exploding"):
            assert "train/loss is 0 without change from step 31 on" in skip_reason(rule, replaced, context)

    def test_a_loss_that_moves_is_judged(self) -> None:
        for seed in SEEDS:
            curves, context = run("healthy_cosine", seed)
            alone = without(curves, "val/loss", "val/accuracy")
            assert isinstance(verdict("not_decreasing", alone, told(context, Lie.NON_FINITE_HIDDEN)), Clear)

    @pytest.mark.parametrize(
        ("values", "from_step"),
        [([], None), ([1.0, 1.0], None), ([1.0] * 3, 1.0), ([2.0, 1.0, 1.0], None), ([2.0, 1.0, 1.0, 1.0], 2.0)],
    )
    def test_where_a_curve_stands_still(self, values: list[float], from_step: float | None) -> None:
        assert stuck_from(make_curve("train/loss", np.arange(1.0, len(values) + 1), values)) == from_step


class TestAverages:
    """Means over intervals, and moving averages."""

    @pytest.mark.parametrize("lie", [Lie.INTERVAL_MEAN, Lie.SMOOTHED])
    def test_the_first_of_many_means_is_no_first_batch(self, lie: Lie) -> None:
        fine_tuned = curves_of(train_loss=[0.4, 0.3, 0.25, 0.2] * 60)
        assert finding("wrong_initial_loss", fine_tuned, CLASSES).severity == "info"  # read off: too low
        assert isinstance(verdict("wrong_initial_loss", fine_tuned, told(CLASSES, lie)), Clear)

    def test_the_start_of_means_is_extrapolated(self) -> None:
        for seed in SEEDS:
            curves, context = run("wrong_start", seed)
            alone = without(curves, "val/loss", "val/accuracy")
            found = finding("wrong_initial_loss", alone, told(context, Lie.INTERVAL_MEAN))
            assert "seems to have been" in found.summary
            assert found.confidence <= finding("wrong_initial_loss", alone, context).confidence

    def test_validation_before_the_first_update_is_read_off_all_the_same(self) -> None:
        curves, context = run("wrong_start", 0)
        plain = finding("wrong_initial_loss", curves, context)
        assert finding("wrong_initial_loss", curves, told(context, Lie.INTERVAL_MEAN)) == plain

    def test_a_mean_that_may_hold_the_explosion_is_no_start(self) -> None:
        """The first of many means is far above what a blind guess costs because the loss had blown up within it."""
        burst = curves_of(train_loss=[60.0, *np.linspace(31.0, 30.0, 249)])
        assert isinstance(verdict("exploding", burst, CLASSES), Clear)
        assert finding("exploding", burst, told(CLASSES, Lie.INTERVAL_MEAN)).severity == "error"

    def test_a_loss_that_may_have_fallen_within_the_first_interval(self) -> None:
        unknown = Context(state="finished")
        flat = curves_of(train_loss=[0.05, 0.05, 0.051, 0.05, 0.05])
        assert finding("not_decreasing", flat, unknown).severity == "error"
        reason = skip_reason("not_decreasing", flat, told(unknown, Lie.INTERVAL_MEAN))
        assert reason == "train/loss is averages from step 1 on: where it began is not known"
        at_chance = curves_of(train_loss=[CHANCE] * 5)
        assert finding("not_decreasing", at_chance, told(CLASSES, Lie.INTERVAL_MEAN)).severity == "error"
        short = curves_of(train_loss=[1.0, 1.001] * 30)
        assert finding("not_decreasing", short, told(unknown, Lie.INTERVAL_MEAN)).severity == "error"

    def test_a_moving_average_hides_a_bounce(self) -> None:
        for seed in SEEDS:
            curves, context = run("healthy_cosine", seed)
            alone = without(curves, "val/loss", "val/accuracy")
            assert isinstance(verdict("decay_needed", alone, context), Clear)
            assert "which hides a bounce" in skip_reason("decay_needed", alone, told(context, Lie.SMOOTHED))
            assert isinstance(verdict("decay_needed", curves, told(context, Lie.SMOOTHED)), Clear)

    def test_a_bounce_that_shows_is_found_all_the_same(self) -> None:
        for seed in SEEDS:
            curves, context = run("bouncing_plateau", seed)
            plain = verdict("decay_needed", curves, context)
            assert verdict("decay_needed", curves, told(context, Lie.SMOOTHED)) == plain


class TestRounded:
    """Few digits."""

    RULES = ("bad_init_plateau", "decay_needed", "decay_too_early", "keep_training", "overfitting")

    def test_the_rules_that_read_scatter(self) -> None:
        assert tuple(rule.name for rule in CATALOGUE if rule.reads_scatter) == self.RULES

    @pytest.mark.parametrize("rule", RULES)
    def test_coarse_digits_are_not_judged(self, rule: str) -> None:
        curves, context = run("underfit", 0)
        coarse = rounded(curves, "train/loss", 0.05)
        reason = skip_reason(rule, coarse, told(context, Lie.ROUNDED))
        assert reason.startswith("train/loss is rounded to 0.05 at a level of 1.")
        assert not isinstance(verdict(rule, coarse, context), Skipped)

    @pytest.mark.parametrize("shape", sorted(SHAPES))
    def test_fine_digits_change_no_verdict(self, shape: str) -> None:
        curves, context = run(shape, 0)
        for fine in (rounded(curves, "train/loss", 1e-5), single(curves)):
            assert diagnose(fine, told(context, Lie.ROUNDED)) == diagnose(fine, context)


class TestZeroUnmeasured:
    """Zeros where nothing was validated."""

    def test_zeros_are_no_points(self) -> None:
        for seed in SEEDS:
            curves, context = run("overfit", seed, per_update=False)
            filled = filled_with_zeros(curves, every=3)
            honest = told(context, Lie.ZERO_UNMEASURED)
            assert isinstance(verdict("overfitting", filled, honest), Finding)
            assert verdict("overfitting", filled, honest) != verdict("overfitting", filled, context)
            measured = as_measured(filled, honest.lies)
            assert measured["val/loss"].values.min() > 0
            assert list(measured["val/accuracy"].steps) == list(measured["val/loss"].steps)
            assert len(measured["train/loss"]) == len(curves["train/loss"])

    def test_a_run_without_validation_is_as_it_was(self) -> None:
        curves = curves_of(train_loss=[2.3, 0.0])
        assert as_measured(curves, frozenset({Lie.ZERO_UNMEASURED})) is curves


def rounded(curves: Curves, name: str, jump: float) -> Curves:
    curve = curves[name]
    return Curves({**curves, name: Curve(name, curve.steps, np.round(curve.values / jump) * jump)})


def single(curves: Curves) -> Curves:
    return Curves({n: Curve(n, c.steps, c.values.astype(np.float32).astype(np.float64)) for n, c in curves.items()})


def filled_with_zeros(curves: Curves, every: int) -> Curves:
    """Validation in one epoch of so many, zeros in the others."""
    filled = dict(curves)
    for name in ("val/loss", "val/accuracy"):
        values = np.where(np.arange(len(curves[name])) % every == 0, curves[name].values, 0.0)
        filled[name] = Curve(name, curves[name].steps, values)
    return Curves(filled)
