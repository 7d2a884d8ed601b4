"""Loss at step 0 is not about log(C) for C classes.

Detects
    An output layer that starts out confidently wrong: too large a scale, a bias that was not set, a loss that is
    summed where a mean was meant, or a number of classes that is not the real one.
Statistic
    ratio = loss of the untrained model / log C [ratio]. Where the job told the class priors, a start anywhere from
    their entropy (a bias set to their logarithms) to log C is sane: the ratio is to the nearer end. Where it told the
    variance of a regression's targets and no classes, that takes the place of log C, and half of it (a squared error
    with the factor 1/2) is the lower end. The loss is read off a validation point at step 0 or the first
    batch; where train loss is logged as a mean over an interval, by the number of its points or by a caveat, it is
    extrapolated back to step 0.
Fires when
    ratio >= `max_ratio` where the loss was read off (one batch scatters, and dropout adds to it), or
    ratio >= `max_ratio_extrapolated` where it was extrapolated (below the truth): warning; or it was read off and
    ratio <= `min_ratio` (info: the run may be a fine-tuned one).
Blind spots
    Losses that are no cross-entropy in nats. Strong label smoothing or class imbalance move the start a little.
    The first batch of a small batch size scatters. A mean over the first epoch may hold an explosion instead of a bad
    start: when the loss never gets below log C afterwards nothing is said, and the rule asks for the loss at step 0.
    Dropout and augmentation raise train loss from the first batch on, by more than can be seen where no validation
    was logged.
    A fine-tuned model starts low without anything being wrong. A target variance says nothing of a loss that is no
    squared error, or of targets that were scaled after it was measured.
Recommends
    Every layer by its fan-in, the output layer a tenth of that, its bias zero (or the log frequencies of the classes);
    the mean over the batch. A loss does not show whether the weights of the output layer, its bias or all layers before
    it are too large, and scaling the output layer alone cures only the first.
Source
    The lecture's first step of choosing hyper-parameters: check the initial loss, log C for a softmax over C classes.
"""

from pydantic import Field

from app.rules.confidence import confidence
from app.rules.context import Context
from app.rules.rule import Need, Params, Rule
from app.rules.verdict import Clear, Evidence, Finding, Recommendation, Skipped
from app.signals.smoothing import tail_mean
from app.signals.start import BlindGuess, InitialLoss, blind_guess, initial_loss
from app.signals.view import View

STUCK = 0.99  # share of log C: a run that ends there has learnt nothing
MAYBE_EXPLODED = "the mean over the first interval may hold an explosion: the run never got below a blind guess"


class WrongInitialLossParams(Params):
    """Tunable numbers of wrong_initial_loss."""

    max_ratio: float = Field(1.6, gt=1, description="Initial loss over log C that is too high, when read off [ratio]")
    max_ratio_extrapolated: float = Field(
        1.25, gt=1, description="Initial loss over log C that is too high, when extrapolated [ratio]"
    )
    min_ratio: float = Field(0.5, ge=0, lt=1, description="Initial loss over log C that is too low [ratio]")


def check(view: View, context: Context, params: WrongInitialLossParams) -> Finding | Clear | Skipped:
    """The loss before the first update against that of a blind guess."""
    guess = blind_guess(context.num_classes, context.class_priors, context.target_variance)
    if guess is None:
        return Skipped(reason="num_classes is not known")
    initial = initial_loss(view.train, view.val, view.pair, averaged=context.averaged)
    if initial is None:
        return Skipped(reason=f"the first train/loss is at step {view.train.steps[0]:g}: the start was not logged")
    limit = params.max_ratio if initial.observed else params.max_ratio_extrapolated
    ratio = initial.value / guess.nearest(initial.value)
    evidence = (
        Evidence("initial_loss", initial.value, guess.high * limit, guess.unit),
        *(Evidence(name, value, None, guess.unit) for name, value in guess.known.items()),
        Evidence("ratio", ratio, limit, "ratio"),
    )
    if ratio >= limit:
        if not initial.observed and tail_mean(view.train.values) >= STUCK * guess.low:
            return Skipped(reason=f"val/loss at step 0 was not logged, and {MAYBE_EXPLODED}")
        return _too_high(initial, ratio, guess, evidence, ratio / limit)
    if initial.observed and ratio <= params.min_ratio:
        return _too_low(initial, guess, evidence)
    return Clear(evidence=evidence)


def _too_high(
    initial: InitialLoss, ratio: float, guess: BlindGuess, evidence: tuple[Evidence, ...], margin: float
) -> Finding:
    how = "is" if initial.observed else "seems to have been"
    towards = "at log C" if guess.of_classes else "at the variance of the targets"
    return Finding(
        severity="warning",
        confidence=confidence("CW007", margin, indirect=not initial.observed),
        summary=f"the initial loss {how} {initial.value:.3g}, {ratio:.2g} times the {guess.high:.3g} of a blind guess",
        onset_step=initial.step,
        span=(initial.step, initial.step),
        evidence=evidence,
        recommendations=(
            Recommendation(
                "Initialise every layer by its fan-in (Kaiming for ReLU, Xavier for tanh), the output layer a tenth of "
                f"that with zero biases: the loss then starts {towards}.",
                "reinitialise",
                {"scheme": "small_output_layer+kaiming", "output_factor": 0.1},
            ),
        ),
    )


def _too_low(initial: InitialLoss, guess: BlindGuess, evidence: tuple[Evidence, ...]) -> Finding:
    told = "num_classes" if guess.of_classes else "target_variance"
    return Finding(
        severity="info",
        confidence=0.6,
        summary=f"the initial loss is {initial.value:.3g}, far below the {guess.low:.3g} of a blind guess",
        onset_step=initial.step,
        span=(initial.step, initial.step),
        evidence=evidence,
        recommendations=(
            Recommendation(
                f"Unless the model was trained before, check {told} and whether the labels leak into the inputs.",
                "reinitialise",
                {"scheme": "check_labels"},
            ),
        ),
    )


RULE = Rule(
    code="CW007",
    name="wrong_initial_loss",
    doc=__doc__,
    needs=(Need("train/loss"),),
    params=WrongInitialLossParams,
    check=check,
    judges_exploded=True,
)
