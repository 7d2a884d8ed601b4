import pytest

from app.api.negotiation import choose, is_known


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("text/markdown", "markdown"),
        ("TEXT/Markdown; charset=utf-8", "markdown"),
        ("text/*", "markdown"),
        ("text/markdown;q=0.9, application/json;q=0.8", "markdown"),
        ("text/markdown;q=0.8, application/json", "json"),
        ("text/markdown, */*", "json"),
        ("text/markdown, */*;q=0.1", "markdown"),
        ("text/markdown;q=0, application/json;q=0.1", "json"),
        ("text/markdown;q=nonsense", "markdown"),
        ("text/markdown;q=9, application/json;q=1", "json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "json"),
        ("text/markdown;q=nan", "json"),
        (";;,,", "json"),
    ],
)
def test_the_format_that_is_wanted_more(accept: str, chosen: str) -> None:
    assert choose(accept, {"json": "application/json", "markdown": "text/markdown"}) == chosen


def test_an_etag_is_known_whatever_stands_around_it() -> None:
    for header in ('"a"', 'W/"a"', '"b", "a"', '"b",W/"a" ', "*"):
        assert is_known(header, '"a"')
    for header in ("", "a", '"b"', '"aa"'):
        assert not is_known(header, '"a"')
