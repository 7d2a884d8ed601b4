"""What is told about logs that were read: as what, which name became which curve, and what to beware of."""

from collections.abc import Mapping, Sequence

from app.cli.console import say
from app.curves.roles import choose, role_of
from app.importers.imported import ImportedRun
from app.importers.runs import Logs

_SHOWN = 3  # runs named in a note on many


def tell(logs: Logs) -> None:
    """Notes and caveats to stderr: one line each, said once for all the runs that it holds for."""
    lines: dict[str, list[str]] = {}
    for named in logs.runs:
        run = named.run
        notes = (*run.notes, f"{run.source}: {mapping(run)}")
        caveats = run.context.caveats
        for line in (*(f"note: {note}" for note in notes), *(f"caveat: {caveat}" for caveat in caveats)):
            lines.setdefault(line, []).append(named.name)
    for line, names in lines.items():
        kind, _, text = line.partition(": ")
        say(line if len(logs.runs) == 1 else f"{kind}: {_names(names)}: {text}")
    for error in logs.unreadable:
        say(f"left out: {error}")


def mapping(run: ImportedRun, overrides: Mapping[str, str] | None = None) -> str:
    """Which names became which curves: the first thing to check when a diagnosis looks odd."""
    chosen = choose(run.curves, overrides or {})
    role_taken = {raw: role for role, raw in chosen.items()}
    used, unused = [], []
    for raw in run.curves:
        if raw in role_taken:
            used.append(raw if raw == role_taken[raw] else f"{raw} as {role_taken[raw]}")
        else:
            role = role_of(raw).name
            unused.append(f"{raw} ({chosen[role]} is the {role})" if role in chosen else raw)
    said = [f"read {', '.join(used)}" if used else "no name is known, such as train_loss or val_loss"]
    return "; ".join([*said, *([f"not used: {', '.join(unused)}"] if unused else [])])


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN:,} more"
