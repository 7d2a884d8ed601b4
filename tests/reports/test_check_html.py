"""What came of checks, above the diagnosis of each run in one HTML file."""

import html5lib

from app.reports import html, words
from tests.checked import RUNS, each_outcome, hostile


def rendered(checks):
    runs = [(check.diagnosis, RUNS["mlp-cosine"].curves if index == 0 else {}) for index, check in enumerate(checks)]
    return html5lib.parse(html.render_many(runs, checks=checks), namespaceHTMLElements=False)


def test_outcome_and_reasons_stand_above_each_run() -> None:
    checks = each_outcome()
    sections = rendered(checks).findall(".//section")
    assert len(sections) == len(checks)
    for section, check in zip(sections, checks, strict=True):
        assert section.findtext("./p/strong") == f"Check: {check.outcome}"
        reasons = [item.text for item in section.findall("./ul[@class='reasons']/li")]
        assert reasons[: len(check.reasons)] == [words.plain(reason.text) for reason in check.reasons]


def test_texts_of_strangers_stay_texts() -> None:
    checks = hostile()
    page = rendered(checks)
    assert [s.findtext("h2") for s in page.findall(".//section")] == [words.plain(check.name) for check in checks]
    assert {script.get("type") for script in page.findall(".//script")} <= {None, "application/json"}
    assert len([script for script in page.iter("script") if script.get("type") is None]) == 2
    assert not [image.get("src") for image in page.iter("img") if not str(image.get("src")).startswith("data:")]
    assert not [name for element in page.iter() for name in element.attrib if str(name).startswith("on")]
