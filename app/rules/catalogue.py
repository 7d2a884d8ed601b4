"""The rules, in the order of their codes. Adding one is its file, one line here, and its test."""

from app.rules import (
    bad_init_plateau,
    decay_needed,
    decay_too_early,
    exploding,
    keep_training,
    not_decreasing,
    overfitting,
    underfitting,
    wrong_initial_loss,
)
from app.rules.rule import Rule

CATALOGUE_VERSION = "2026.2"

CATALOGUE: tuple[Rule, ...] = (
    bad_init_plateau.RULE,
    decay_needed.RULE,
    decay_too_early.RULE,
    keep_training.RULE,
    overfitting.RULE,
    underfitting.RULE,
    wrong_initial_loss.RULE,
    exploding.RULE,
    not_decreasing.RULE,
)
