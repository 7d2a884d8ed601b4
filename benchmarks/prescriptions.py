"""Does the advice help? Train small models, apply what the diagnosis of each says, and measure what that did.

    prescriptions.py [--configurations N] [--seed N] [--jobs N] [--folder DIR] [--label NAME] [--half A|B] [--small]
                     [--form torch] [--every] [--advice-only] [--before NAME] [--write] [--json]

Each configuration (prescribing/configurations.py) is trained and reported to a server through the client. The first
recommendation of each finding is applied as its action says (prescribing/cures.py), from several seeds, beside a
control of the same budget from as many others; prescribing/outcomes.py decides what came of it. Runs without a warning
or an error are given six standard cures instead: what of them helps was missed.

--form: numpy trains models of its own on made data and needs nothing; torch trains PyTorch's on real data, a third set,
half C (prescribing/real_configurations.py), and needs the extra `bench`. --folder: where all raw results are kept; a
campaign that was cut off resumes there, and what is there is not trained again. --label: of the diagnoses, so that two
states of the rules can be compared. --every: apply every recommendation and not only the first. --before: a label in
the folder to compare half B, or C, with. --write: put the figures into docs/prescriptions.md or prescriptions-torch.md.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import track

from prescribing.campaign import Kept, conduct
from prescribing.configurations import Configuration, draw, halves
from prescribing.page import page, torch_page
from prescribing.real_configurations import draw_real
from prescribing.summary import summary
from prescribing.trainers import MissingExtra, require
from serving import curvewise, serving

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"numpy": (DOCS / "prescriptions.md", page), "torch": (DOCS / "prescriptions-torch.md", torch_page)}
CONFIGURATIONS = {"numpy": 240, "torch": 100}
SMALL = 2


def main() -> None:
    """Read the arguments, conduct the campaign, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--form", choices=tuple(PAGES), default="numpy", help="what is trained (default: numpy)")
    parser.add_argument("--configurations", type=int, help="how many (default: 240; torch: 100)")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    parser.add_argument("--jobs", type=int, default=1, help="processes that train")
    parser.add_argument("--folder", type=Path, help="where results are kept (default: nowhere)")
    parser.add_argument("--label", default="now", help="of the diagnoses in the folder")
    parser.add_argument("--half", choices=("A", "B"), help="only the tasks of that half")
    parser.add_argument("--small", action="store_true", help=f"{SMALL} configurations")
    parser.add_argument("--every", action="store_true", help="apply every recommendation")
    parser.add_argument("--advice-only", action="store_true", help="no standard cures")
    parser.add_argument("--before", help="the label of an earlier state of the rules, to compare half B or C with")
    parser.add_argument("--write", action="store_true", help="write the page of the form in docs/")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    form = arguments.form
    try:
        require(form)
    except MissingExtra as missing:
        parser.error(str(missing))
    if form == "torch" and arguments.half:
        parser.error("--half: the torch form has one half only, C")
    count = SMALL if arguments.small else arguments.configurations or CONFIGURATIONS[form]
    with TemporaryDirectory(prefix="curvewise-prescriptions-") as nowhere:
        kept = Kept(arguments.folder or Path(nowhere), arguments.label)
        chosen = _chosen(form, count, arguments.seed, arguments.half)
        with serving(curvewise(), "/readyz") as server:
            standard = not arguments.advice_only
            done = conduct(kept, chosen, server.url, jobs=arguments.jobs, every=arguments.every, standard=standard)
            for _ in track(done, "training", len(chosen), console=Console(stderr=True), transient=True):
                pass
        names = [c.name for c in chosen]
        figures = summary(kept, names, form)
        before = _earlier(kept.folder, arguments.before, names, form) if arguments.before else None
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    file, render = PAGES[form]
    text = render(figures, arguments.seed, before)
    if arguments.write:
        file.write_text(text)
    print(text)


def _earlier(folder: Path, label: str, names: Sequence[str], form: str) -> dict[str, Any]:
    """The figures by the diagnoses of that label, of the runs that it has."""
    kept = Kept(folder, label)
    return summary(kept, [name for name in names if name in kept.diagnoses], form)


def _chosen(form: str, count: int, seed: int, half: str | None) -> list[Configuration]:
    if form == "torch":
        return [draw_real(number, seed) for number in range(count)]
    drawn = [draw(number, seed) for number in range(count)]
    if half is None:
        return drawn
    tasks = halves()["AB".index(half)]
    return [c for c in drawn if c.task in tasks]


if __name__ == "__main__":
    main()
