"""Markdown of checks, rendered as GitHub renders it and read back as a browser would."""

from dataclasses import replace
from xml.etree.ElementTree import Element

import cmarkgfm
import html5lib
import pytest
from markdown_it import MarkdownIt

from app.checks.check import Check
from app.reports import check_markdown, words
from app.reports.check_markdown import COMMENT_BYTES, SUMMARY_BYTES, marker
from tests.checked import checked, each_outcome, hostile
from tests.hostile import TEXTS

# What the reports are made of, and nothing that runs, loads or leads anywhere.
TAGS = {"h2", "h3", "h4", "table", "thead", "tbody", "tr", "th", "td", "p", "strong", "em", "br", "details", "summary"}
TAGS |= {"ul", "ol", "li", "code", "pre", "html", "head", "body"}


def by_github(text: str) -> Element:
    return html5lib.parse(
        cmarkgfm.github_flavored_markdown_to_html(text, cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE),
        namespaceHTMLElements=False,
    )


def by_markdown_it(text: str) -> Element:
    return html5lib.parse(MarkdownIt("commonmark").enable("table").render(text), namespaceHTMLElements=False)


def rows_of(page: Element) -> list[list[str]]:
    table = page.find(".//table")
    assert table is not None
    return [[shown(cell) for cell in row] for row in table.iterfind("./tbody/tr")]


def shown(element: Element) -> str:
    """The text of it as it is seen: without comments, and with one space where there are several."""
    return " ".join(_text(element).split())


def _text(element: Element) -> str:
    if not isinstance(element.tag, str):
        return ""
    return "".join([element.text or "", *(_text(child) + (child.tail or "") for child in element)])


@pytest.mark.parametrize("read", [by_github, by_markdown_it])
def test_a_row_a_run_the_worst_first_and_why(read) -> None:
    page = read(check_markdown.render(each_outcome()))
    assert page.findtext(".//h2") == "curvewise: 3 failed, 1 to investigate, 2 passed"
    rows = rows_of(page)
    assert [row[0].split()[-1] for row in rows] == ["fail"] * 3 + ["investigate"] + ["pass"] * 2
    assert rows[0][1] == "mnist/mlp-rate-3.0"
    assert "CW008 exploding (error): train/loss is NaN or infinite from step 15" in rows[0][2]
    assert "as good as the baseline within noise: +0.0 noise units" in rows[4][2]
    # In full is shown whatever there is something to say of.
    titles = ["".join(summary.itertext()) for summary in page.iterfind(".//summary")]
    assert [title.split()[-1] for title in titles if "mnist/" in title] == [
        "mnist/mlp-rate-3.0",
        "mnist/mlp-300-samples",
        "mnist/mlp-2-units",
        "mnist/mlp-cosine",
        "mnist/mlp-300-samples",
    ]


def test_a_comment_begins_with_the_marker_that_its_successor_finds() -> None:
    first = check_markdown.render(each_outcome(), "nightly").split("\n")[0]
    assert first == marker("nightly") == "<!-- curvewise-check nightly -->"
    assert check_markdown.summary(each_outcome(), "nightly").startswith("## nightly: ")


@pytest.mark.parametrize("read", [by_github, by_markdown_it])
def test_texts_of_strangers_stay_texts(read) -> None:
    page = read(check_markdown.render(hostile(), room=10**9))
    assert {str(each.tag) for each in page.iter() if isinstance(each.tag, str)} <= TAGS
    assert not [each.attrib for each in page.iter() if set(each.attrib) - {"align", "open"}]
    rows = rows_of(page)
    assert {len(row) for row in rows} == {3}
    assert {row[1] for row in rows} == {" ".join(words.plain(text).split()) for text in TEXTS}
    titles = {shown(summary) for summary in page.iterfind(".//summary")}
    assert {" ".join(words.plain(f"\N{CROSS MARK} {text}").split()) for text in TEXTS} <= titles


def test_nobody_is_called_by_name() -> None:
    text = check_markdown.render([replace(checked("mlp-rate-3.0"), name="@everyone a@b")])
    assert "@everyone" not in text
    assert "@b" not in text
    assert rows_of(by_github(text))[0][1] == "@everyone a@b"


def many(count: int) -> list[Check]:
    check = checked("mlp-rate-3.0")
    return [replace(check, name=f"mnist/\N{SLIGHTLY SMILING FACE}{index:06}") for index in range(count)]


@pytest.mark.parametrize("count", [20, 200, 3000])
def test_a_comment_is_cut_between_blocks(count: int) -> None:
    text = check_markdown.render(many(count))
    assert len(text.encode()) <= COMMENT_BYTES
    page = by_github(text)
    assert f"{count:,} failed" in (page.findtext(".//h2") or "")
    assert text.count("<details>") == text.count("</details>")
    assert {len(row) for row in rows_of(page)} == {3}
    shown_in_full = text.count("<details>")
    assert (text.rstrip().endswith("has it all.*")) is (shown_in_full < count)
    assert shown_in_full == count if count == 20 else shown_in_full < count


@pytest.mark.parametrize("taken", [0, 500_000, SUMMARY_BYTES - 400, SUMMARY_BYTES + 10])
def test_a_summary_counts_what_is_there_already(taken: int) -> None:
    text = check_markdown.summary(many(3000), taken=taken)
    assert taken + len(text.encode()) <= max(SUMMARY_BYTES, taken) < 2**20
    assert bool(text) is (taken < SUMMARY_BYTES - 200)
    assert not text or text.endswith("has it all.*\n")


def test_nothing_to_check_is_said() -> None:
    assert check_markdown.summary([]) == "## curvewise: nothing to check\n"
