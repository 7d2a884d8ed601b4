"""Checks as JUnit XML, for GitLab, Jenkins, Azure and Buildkite: a suite a run, a case a rule and a baseline.

The text of a failure stands in its body as well as in its `message`, which GitLab did not show for long. GitLab leaves
out cases of a name that it has seen, so every suite has a name of its own.
"""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from app.checks.check import OUTCOMES, Check, Reason
from app.checks.comparison import Comparison
from app.reports import words
from app.reports.audit import audit
from app.reports.issues import told, with_identities

MOST_ELEMENTS = 200_000  # of 250,000 and more GitLab reads none


def render(checks: Sequence[Check], name: str = "curvewise") -> str:
    """One document, the worst checks first. What does not fail passes with its text; what was not judged is skipped."""
    root = ET.Element("testsuites", name=words.plain(name))
    worst_first = sorted(with_identities(checks), key=lambda pair: -OUTCOMES.index(pair[0].outcome))
    elements = 0
    for shown, (check, identity) in enumerate(worst_first):
        suite = _suite(check, identity)
        elements += sum(1 for _ in suite.iter())
        if elements > MOST_ELEMENTS:
            root.append(_left_out(len(worst_first) - shown))
            break
        root.append(suite)
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(check: Check, identity: str) -> ET.Element:
    suite = ET.Element("testsuite", name=identity)
    properties = ET.SubElement(suite, "properties")
    for key, value in (("run", check.name), ("outcome", check.outcome), ("file", check.location)):
        ET.SubElement(properties, "property", name=key, value=words.plain(value))
    _rules(suite, check)
    for comparison in check.comparisons:
        _comparison(suite, comparison)
    for reason in check.reasons:
        if reason.about in ("state", "rules"):
            _state(suite, reason)
    return _counted(suite)


def _rules(suite: ET.Element, check: Check) -> None:
    found = audit(check.diagnosis)
    for each in found.findings:
        case = _case(suite, f"{each.finding.code} {each.finding.rule}")
        if check.fails_by(each.finding):
            _add(case, "failure", told(each), type=each.finding.severity, message=words.plain(each.finding.summary))
        else:
            _add(case, "system-out", told(each))
    for fine in found.fine:
        _add(_case(suite, f"{fine.code} {fine.rule}"), "system-out", fine.says)
    for unjudged in found.unjudged:
        case = _case(suite, f"{unjudged.code} {unjudged.rule}")
        _add(case, "skipped", "", message=f"{unjudged.reason} (to have it judged: {unjudged.log_this})")


def _comparison(suite: ET.Element, comparison: Comparison) -> None:
    case = _case(suite, words.plain(f"against {comparison.ref}"))
    reason = words.plain(comparison.reason)
    match comparison.relation:
        case "worse":
            _add(case, "failure", reason, type="regression", message=reason)
        case "same" | "better":
            _add(case, "system-out", reason)
        case "doubtful" | "unknown":
            _add(case, "skipped", "", message=reason)


def _state(suite: ET.Element, reason: Reason) -> None:
    case = _case(suite, f"the run's {reason.about}")
    text = words.plain(reason.text)
    if reason.kind == "unclear":
        _add(case, "skipped", "", message=text)
    else:
        _add(case, "failure", text, type=reason.kind, message=text)


def _case(suite: ET.Element, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=suite.get("name", ""), name=name)


def _add(case: ET.Element, tag: str, text: str, **attributes: str) -> None:
    ET.SubElement(case, tag, attributes).text = text or None


def _left_out(count: int) -> ET.Element:
    suite = ET.Element("testsuite", name="not shown")
    _add(_case(suite, "more runs"), "skipped", "", message=f"{count:,} more runs, none worse, are not shown here")
    return _counted(suite)


def _counted(suite: ET.Element) -> ET.Element:
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    return suite
