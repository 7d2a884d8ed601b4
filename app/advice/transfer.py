"""How to start from a pre-trained model: by how similar its data are to the task's, and how many those are.

Source
    The lecture's table of transfer learning, and what it says of pre-training beside training from scratch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from app.advice.amount import Data

Strategy = Literal["train_head", "fine_tune_some", "fine_tune_all", "try_several"]


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What to do, why, and what would have to be known to say more."""

    strategy: Annotated[
        Strategy | None,
        Field(
            description="`train_head`: the new head alone, the rest frozen. `fine_tune_some`: the last layers too. "
            "`fine_tune_all`: the whole network at a small rate. `try_several`: each of `candidates`. Null: not known."
        ),
    ]
    candidates: Annotated[
        tuple[str, ...], Field(description="What to try, the most promising first; one unless `try_several`.")
    ]
    text: Annotated[str, Field(description="The same as one imperative sentence, or what cannot be judged.")]
    reason: Annotated[str, Field(description="Why.")]
    from_scratch: Annotated[
        str, Field(description="How training from random weights compares; empty where that is not known.")
    ]
    missing: Annotated[
        tuple[str, ...], Field(description="What would have to be told: `similar`, `data`; empty when nothing.")
    ]


_TABLE: Mapping[tuple[bool, Data], tuple[Strategy, tuple[str, ...], str, str]] = {
    (True, "small"): (
        "train_head",
        ("train_head",),
        "Freeze the pre-trained network and train a new head alone.",
        "its features fit data that are similar, and so few examples would overfit more weights than a head has",
    ),
    (True, "large"): (
        "fine_tune_some",
        ("fine_tune_some",),
        "Train a new head, then fine-tune some of the last layers with it.",
        "its features nearly fit, and there are enough examples to adapt the most specific of them",
    ),
    (False, "large"): (
        "fine_tune_all",
        ("fine_tune_all",),
        "Fine-tune the whole network at a small rate, a tenth or less of what it was trained with.",
        "features of other data have to change, early layers too, and there are enough examples to change them",
    ),
    (False, "small"): (
        "try_several",
        ("fine_tune_some", "fine_tune_all", "train_head"),
        "Try several strategies and compare them on held-out data: fine-tuning may help, and may not.",
        "features of other data fit badly, and there are too few examples to learn others: none is known to win",
    ),
}
_FROM_SCRATCH: Mapping[Data, str] = {
    "small": "with so few examples a pre-trained start beats one from scratch",
    "large": "with so many examples training from scratch, for longer, is worth a try as well",
}


def transfer(*, similar: bool | None, data: Data | None) -> Advice:
    """The table's cell. similar: whether the pre-training data are like the task's. None: not known."""
    from_scratch = _FROM_SCRATCH[data] if data else ""
    if similar is None or data is None:
        missing = tuple(name for name, said in (("similar", similar), ("data", data)) if said is None)
        return Advice(
            strategy=None,
            candidates=(),
            text=f"How much of the network to train cannot be judged: {_what(missing)} is not known.",
            reason="the table needs both: how similar the data are, and how many",
            from_scratch=from_scratch,
            missing=missing,
        )
    strategy, candidates, text, reason = _TABLE[similar, data]
    return Advice(
        strategy=strategy, candidates=candidates, text=text, reason=reason, from_scratch=from_scratch, missing=()
    )


def _what(missing: tuple[str, ...]) -> str:
    words = {
        "similar": "whether the data are similar to those of the pre-training",
        "data": "whether they are few or many",
    }
    return ", and ".join(words[name] for name in missing)
