"""Compare jobs on autopilot with the same jobs under a fixed schedule, under patience, and left alone.

    autopilot.py [--draw N] [--configurations N] [--seeds N] [--folder DIR] [--before DIR] [--small]
                 [--no-checkpoints] [--bare DIR] [--earlier NAME=DIR]... [--write] [--json]

One configuration of each task of prescribing/tasks.py and each kind of piloting/campaign.py is trained from every seed
under six policies: the client's autopilot, asking a real server at each evaluation; no schedule; half a cosine;
reduce-on-plateau; early stopping; and the two together, which is what it is held against. All sides start from the same
weights, see the same batches, may make the same number of updates, and keep the checkpoint with the lowest validation
loss, but for the autopilot where it stopped and named one. What is compared is the test loss of the checkpoint kept.

--draw: which of the draws of configurations; on half A of the first the autopilot was changed. --folder: where raw
results are kept; what is there is not trained again. --before: such a folder, of an earlier state of the autopilot:
only the autopilot flies again. --no-checkpoints: it is not told how to bring one back. --bare: such a folder, of the
same draw and without checkpoints; --earlier: what an earlier state of the autopilot flew, under that name, the first
state first: their figures are put below. --write: put the figures into docs/autopilot.md.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import track

from piloting.campaign import DRAWN_SEEDS, Kept, conduct, configurations
from piloting.page import page
from piloting.summary import summary
from serving import curvewise, serving

PAGE = Path(__file__).parents[1] / "docs" / "autopilot.md"
SMALL_UPDATES, SMALL_SEEDS = 120, 2


def main() -> None:
    """Read the arguments, train, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draw", type=int, choices=sorted(DRAWN_SEEDS), default=1, help="of the configurations")
    parser.add_argument("--configurations", type=int, help="how many of them, the sane ones first (default: all)")
    parser.add_argument("--seeds", type=int, default=10, help="of each (default: 10)")
    parser.add_argument("--folder", type=Path, help="where results are kept (default: nowhere)")
    parser.add_argument("--before", type=Path, help="results of an earlier state of the autopilot")
    parser.add_argument("--no-checkpoints", action="store_true", help="to bring back, for the autopilot")
    parser.add_argument("--bare", type=Path, help="results of this draw without checkpoints to bring back")
    parser.add_argument("--earlier", metavar="NAME=DIR", action="append", default=[], help="of an earlier autopilot")
    parser.add_argument("--small", action="store_true", help=f"{SMALL_SEEDS} seeds of one short run")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    drawn = configurations(SMALL_UPDATES if arguments.small else None, arguments.draw)
    chosen = drawn[1:2] if arguments.small else drawn[: arguments.configurations]
    seeds = SMALL_SEEDS if arguments.small else arguments.seeds
    with TemporaryDirectory(prefix="curvewise-autopilot-") as nowhere:
        kept = Kept(arguments.folder or Path(nowhere))
        before = Kept(arguments.before) if arguments.before else None
        with serving(curvewise(), "/readyz") as server:
            done = conduct(kept, chosen, seeds, server.url, before, restores=not arguments.no_checkpoints)
            for _ in track(done, "training", len(chosen), console=Console(stderr=True), transient=True):
                pass
    figures = summary([kept.records[c.name] for c in chosen])
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    states = {name: _kept(Path(folder)) for name, _, folder in (one.rpartition("=") for one in arguments.earlier)}
    text = page(figures, _kept(arguments.bare) if arguments.bare else None, states)
    if arguments.write:
        PAGE.write_text(text)
    print(text)


def _kept(folder: Path) -> dict[str, Any]:
    """The figures of all that a folder holds."""
    return summary([*Kept(folder).records.values()])


if __name__ == "__main__":
    main()
