"""A schedule as Python that needs nothing but `math`: to be pasted into a training script."""

import math

from app.schedules.kinds import Parameters

# What each kind does at step t, which is at most T for those that end. Names are those of its parameters.
_RISE = ["if t < warmup:", "    return lr * (t + 1) / (warmup + 1)"]
_COSINE = "min_lr + (lr - min_lr) / 2 * (1 + math.cos(math.pi * {done}))"
_REST = "(t - warmup) / (steps - warmup)"
_LINES: dict[str, list[str]] = {
    "constant": [*_RISE, "return lr"],
    "step": [*_RISE, "return lr * factor ** math.floor((t - warmup) / every)"],
    "cosine": [*_RISE, f"return {_COSINE.format(done=_REST)}"],
    "linear": [*_RISE, f"return min_lr + (lr - min_lr) * (1 - {_REST})"],
    "inverse_sqrt": [*_RISE, "begin = max(warmup, 1)", "return lr / math.sqrt(max(t, begin) / begin)"],
    "exponential": [*_RISE, "return lr * factor ** ((t - warmup) / every)"],
    "one_cycle": [
        "if t < warmup:",
        "    return lr + (start_lr - lr) / 2 * (1 + math.cos(math.pi * t / warmup))",
        f"return {_COSINE.format(done=_REST)}",
    ],
    "warmup_stable_decay": [*_RISE, "done = max(t - (steps - decay), 0) / decay"],
    "cosine_restarts": [
        *_RISE,
        "t, begin, end, length = t - warmup, 0, cycle, cycle",
        "while t >= end:",
        "    begin, end, length = end, end * growth + cycle, length * growth",
        f"return {_COSINE.format(done='(t - begin) / length')}",
    ],
}
_SHAPES = {
    "linear": "return min_lr + (lr - min_lr) * (1 - done)",
    "sqrt": "return min_lr + (lr - min_lr) * (1 - math.sqrt(done))",
    "cosine": f"return {_COSINE.format(done='done')}",
}
_ENDS = frozenset({"cosine", "linear", "one_cycle", "warmup_stable_decay"})
# One cycle after another, where all are of one length.
_EQUAL_CYCLES = [*_RISE, f"return {_COSINE.format(done='((t - warmup) % cycle) / cycle')}"]


def torch(kind: str, p: Parameters) -> str:
    """For `torch.optim.lr_scheduler.LambdaLR`: a function `factor_of` of the step, times the optimiser's own rate."""
    return _code(kind, p, "step") + (
        "\n\ndef factor_of(step):\n"
        f'    """What LambdaLR multiplies the optimiser\'s own rate with, which has to be {p.lr!r}."""\n'
        f"    return learning_rate(step) / {p.lr!r}\n"
        "\n\n"
        f"# optimizer = torch.optim.SGD(model.parameters(), lr={p.lr!r})\n"
        "# scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor_of)\n"
        "# After every step of the schedule (an update, or an epoch): scheduler.step()\n"
    )


def keras(kind: str, p: Parameters) -> str:
    """For `keras.callbacks.LearningRateScheduler`, which asks once an epoch."""
    return _code(kind, p, "epoch", ", lr=None") + (
        "\n\n# Keras asks once an epoch, so a step of this schedule is an epoch:\n"
        f"# model.fit(..., epochs={p.steps}, callbacks=[keras.callbacks.LearningRateScheduler(learning_rate)])\n"
    )


def _code(kind: str, p: Parameters, step: str, more: str = "") -> str:
    lines = _lines(kind, p)
    needed = [name for name in p.model_dump() if any(_names(name, line) for line in lines)]
    needed = [name for name in needed if name != "steps" or kind not in _ENDS]
    body = [
        f'"""The rate at {step} 0 to {p.steps - 1}: {kind}."""',
        *(
            [f"steps = {p.steps}", f"t = min({step}, steps)  # the rate of the end goes on"]
            if kind in _ENDS
            else [f"t = {step}"]
        ),
        *(f"{name} = {_number(getattr(p, name))}" for name in needed),
        *lines,
    ]
    return f"import math\n\n\ndef learning_rate({step}{more}):\n" + "".join(f"    {line}\n" for line in body)


def _lines(kind: str, p: Parameters) -> list[str]:
    if at := getattr(p, "at", ()):
        return [*_RISE, f"return lr * factor ** sum(t >= cut for cut in {[_whole(cut) for cut in at]})"]
    if kind == "cosine_restarts" and getattr(p, "growth", 1) == 1:
        lines = _EQUAL_CYCLES
    else:
        lines = [*_LINES[kind], *([_SHAPES[p.shape]] if hasattr(p, "shape") else [])]
    # Nothing to rise over: the first two lines would never be taken.
    return lines if p.warmup else lines[2 * (lines[0] == "if t < warmup:") :]


def _names(name: str, line: str) -> bool:
    return name in line.replace("(", " ").replace(")", " ").replace(",", " ").split()


def _number(value: object) -> str:
    return repr(_whole(value)) if isinstance(value, float) else repr(value)


def _whole(value: float) -> float | int:
    """Steps as people write them."""
    return int(value) if value == math.floor(value) and abs(value) < 2**53 else value
