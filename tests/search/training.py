"""Real trainings for the tests of searches: a small network on noisy blobs, and what its job would have posted."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from app.curves.curve import Curves, make_curve
from app.demo.network import make_network
from app.diagnosis import diagnose
from app.rules.context import Context
from app.search.answers import Proposal
from app.search.search import Search
from app.search.trial import Trial

CLASSES, FEATURES, BATCH = 4, 10, 20
EXAMPLES, PER_EPOCH = 400, 20


def data(examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Blobs that overlap; the centres are always the same."""
    centres = np.random.default_rng(99).normal(size=(CLASSES, FEATURES))
    rng = np.random.default_rng(seed)
    labels = rng.integers(CLASSES, size=examples)
    return centres[labels] + 1.2 * rng.normal(size=(examples, FEATURES)), labels


def train(
    run: str,
    config: Mapping[str, Any],
    steps: int,
    *,
    declared: int | None = None,
    settings: Mapping[str, Any] | None = None,
    head_scale: float = 0.1,
    init_scale: float = 1.0,
    state: str = "finished",
) -> Trial:
    """Train with momentum SGD at `lr` and `weight_decay` of the config, logging updates and each epoch's validation."""
    chosen = dict(settings or {})
    seed = int(chosen.get("seed", 0))
    images, labels = data(int(chosen.get("sample_size", EXAMPLES)), 1)
    val_images, val_labels = data(400, 2)
    head_scale = 0.1 if "initialisation" in chosen else head_scale
    init_scale = 1.0 if "initialisation" in chosen else init_scale
    net = make_network((FEATURES, int(config.get("width", 32)), CLASSES), init_scale, head_scale, seed)
    rng = np.random.default_rng(seed)
    decay = float(chosen.get("weight_decay", config.get("weight_decay", 0.0)))
    rates = np.full(steps, float(config["lr"]))
    if "ramp_from" in chosen:
        rates = np.geomspace(chosen["ramp_from"], chosen["ramp_to"], steps)
    points: dict[str, list[tuple[float, float]]] = {}
    with np.errstate(all="ignore"):
        for step in range(1, steps + 1):
            picked = rng.integers(labels.size, size=min(BATCH, labels.size))
            loss = net.update(images[picked], labels[picked], float(rates[step - 1]), decay)
            points.setdefault("train/loss", []).append((step, loss))
            points.setdefault("lr", []).append((step, float(rates[step - 1])))
            if "sample_size" in chosen and step % 10 == 0:
                points.setdefault("train/accuracy", []).append((step, net.loss_and_accuracy(images, labels)[1]))
            if "sample_size" not in chosen and step % PER_EPOCH == 0:
                points.setdefault("val/loss", []).append((step, net.loss_and_accuracy(val_images, val_labels)[0]))
    curves = Curves({name: make_curve(name, *np.array(pairs).T) for name, pairs in points.items()})
    context = Context(num_classes=CLASSES, state=state, planned_steps=float(steps))
    return Trial(run, config, state, declared, curves, context, diagnose(curves, context))


def make(search: Search, proposal: Proposal, *, declare: bool = True, **how: Any) -> Trial:
    """Do what a proposal says."""
    steps = int(proposal.planned_steps or (proposal.planned_epochs or 1) * PER_EPOCH)
    declared = proposal.search_step if declare else None
    return train(proposal.run, proposal.config, steps, declared=declared, settings=proposal.settings, **how)
