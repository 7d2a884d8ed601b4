"""What a pre-trained model can do about a finding, as far as the job told enough: one recommendation more, or none."""

from app.advice.amount import Data, amount_of
from app.rules.context import Context
from app.rules.verdict import Recommendation


def against_overfitting(context: Context) -> tuple[Recommendation, ...]:
    """Fewer trained weights for few examples. Whether the data are similar is not told, so each names the choice."""
    data, why = _amount(context)
    if context.from_scratch is False and data != "large":
        return (
            _transfer(
                "train_head",
                f"Freeze more of {_named(context)}: unless it is so already, train the new head alone{why}.",
            ),
        )
    if context.from_scratch is False:
        return (_transfer("fine_tune_some", f"Fine-tune only some of the last layers of {_named(context)}{why}."),)
    if data == "small":
        unless = "" if context.from_scratch else "Unless the run did so, "
        start = "start" if unless else "Start"
        return (_transfer("start_pretrained", f"{unless}{start} from a pre-trained model rather than scratch{why}."),)
    return ()


def against_underfitting(context: Context) -> tuple[Recommendation, ...]:
    """More trained weights of a pre-trained model, or better ones to start from."""
    data, why = _amount(context)
    if context.from_scratch is False and data == "large":
        return (
            _transfer(
                "fine_tune_all",
                f"Fine-tune the whole of {_named(context)} at a small rate{why}; with so many, training from scratch "
                "is worth a try too.",
            ),
        )
    if context.from_scratch is False:
        return (_transfer("fine_tune_some", f"Fine-tune more layers of {_named(context)}, the last ones first{why}."),)
    if data == "small" and context.from_scratch:
        return (_transfer("start_pretrained", f"Start from a pre-trained model rather than scratch{why}."),)
    return ()


def _amount(context: Context) -> tuple[Data | None, str]:
    if context.dataset_size is None:
        return None, ""
    amount = amount_of(context.dataset_size, context.classes)
    return amount.data, f" ({amount.reason})"


def _named(context: Context) -> str:
    return f"the pre-trained {context.pretrained}"


def _transfer(strategy: str, text: str) -> Recommendation:
    return Recommendation(text, "transfer", {"strategy": strategy})
