"""diagnose(curves, context, params) -> Diagnosis: the whole judgement on one run at one moment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field, ValidationError

from app.curves.curve import Curve, Curves
from app.curves.roles import to_roles
from app.curves.thinning import for_rules
from app.errors import InvalidParams
from app.rules import exploding
from app.rules.catalogue import CATALOGUE, CATALOGUE_VERSION
from app.rules.causes import link
from app.rules.caveats import as_measured
from app.rules.context import Context, RunState
from app.rules.rule import Params
from app.rules.verdict import Clear, Finding, Skipped, Verdict
from app.signals.view import View

RawParams = Mapping[str, Mapping[str, object]]
_SEVERITY_ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All verdicts on one run at one moment, ranked: findings first, the most severe and surest first of all."""

    run: Annotated[str | None, Field(description="The run's name; null for curves that are not stored.")] = None
    project: Annotated[str | None, Field(description="The project's name; null for curves that are not stored.")] = None
    through_step: Annotated[
        float | None, Field(description="The last step that was looked at [steps]; null when there is no point.")
    ]
    state: Annotated[RunState, Field(description="The run's state at that moment.")]
    catalogue: Annotated[str, Field(description="The version of the catalogue of rules.", examples=["2026.2"])]
    verdicts: Annotated[
        tuple[Annotated[Finding | Clear | Skipped, Field(discriminator="verdict")], ...],
        Field(description="One verdict a rule: findings ranked first, then clear, then skipped."),
    ]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings alone, ranked."""
        return tuple(v for v in self.verdicts if isinstance(v, Finding))


def diagnose(curves: Curves, context: Context, params: RawParams | None = None) -> Diagnosis:
    """Judge a run by every rule of the catalogue.

    curves: by role (`train/loss`, `val/accuracy`, `lr`), see curves/roles.py; other names are ignored.
    params: rule name -> field -> value, replacing defaults. Raises InvalidParams for an unknown name or bad value.
    """
    chosen = resolve_params(params or {})
    view = View(as_measured(curves, context.lies))
    diverged = exploding.RULE.judge(view, context, chosen[exploding.RULE.name])
    exploded_at = diverged.onset_step if isinstance(diverged, Finding) and diverged.severity == "error" else None
    verdicts = link([rule.judge(view, context, chosen[rule.name], exploded_at) for rule in CATALOGUE])
    return Diagnosis(
        through_step=curves.last_step(),
        state=context.state,
        catalogue=CATALOGUE_VERSION,
        verdicts=tuple(sorted(verdicts, key=_rank)),
    )


def judge(
    logged: Mapping[str, Curve],
    context: Context,
    *,
    roles: Mapping[str, str] | None = None,
    params: RawParams | None = None,
    at_step: float | None = None,
) -> Diagnosis:
    """Diagnose a run as it was logged: raw names to roles, long curves thinned to what rules see.

    logged: by raw name. roles: raw name -> role, overriding what the name says. at_step: judge it as it stood then,
    still running. Raises InvalidParams, and InvalidInput for a role that does not exist.
    """
    curves = to_roles(logged, roles or {})
    if at_step is not None:
        if at_step < (curves.last_step() or 0.0):
            context = replace(context, state="running")
        curves = curves.through(at_step)
    return diagnose(Curves({name: for_rules(curve) for name, curve in curves.items()}), context, params)


def resolve_params(raw: RawParams) -> dict[str, Params]:
    """Rule name -> its validated params, defaults where nothing was said."""
    unknown = sorted(set(raw) - {rule.name for rule in CATALOGUE})
    if unknown:
        raise InvalidParams(f"params name no such rule: {', '.join(unknown)}")
    chosen = {}
    for rule in CATALOGUE:
        try:
            chosen[rule.name] = rule.params.model_validate(dict(raw.get(rule.name, {})))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in (rule.name, *first["loc"]))
            raise InvalidParams(f"params.{where}: {first['msg']}") from error
    return chosen


def _rank(verdict: Verdict) -> tuple[int, int, float, str]:
    if isinstance(verdict, Finding):
        follows = 1 if verdict.caused_by else 0
        return (follows, _SEVERITY_ORDER[verdict.severity], -verdict.confidence, verdict.code)
    return (2 if isinstance(verdict, Clear) else 3, 0, 0.0, verdict.code)
