"""The rules, in the order of their codes. Adding one is its file, one line here, and its test."""

from app.rules import exploding
from app.rules.rule import Rule

CATALOGUE_VERSION = "2026.1"

CATALOGUE: tuple[Rule, ...] = (exploding.RULE,)
