"""Texts of strangers, on their way into Markdown and into the HTML within it."""

import re

from app.reports import words

# An underscore inside a word means nothing in GitHub's and GitLab's flavour, and every rule's name has one.
_MEANINGFUL = re.compile(r"([\\`*\[\]<>|~#&]|(?<![^\W_])_|_(?![^\W_]))")
_LIVE = re.compile(r"@(?=\w)|:(?=//)|(?i:www)(?=\.)")  # calls a person, or becomes a link by itself
_DEAD = r"\g<0><!-- -->"  # not seen, and enough to keep both from happening
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def in_markdown(text: str) -> str:
    """On one line, the text and nothing but the text, within a table or not: it calls nobody and leads nowhere."""
    return _LIVE.sub(_DEAD, _MEANINGFUL.sub(r"\\\1", words.plain(text)))


def in_html(text: str) -> str:
    """The same between tags of HTML that stand in Markdown."""
    return _LIVE.sub(_DEAD, words.plain(text).translate(_ENTITIES))
