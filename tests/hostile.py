"""Texts that strangers could give runs, projects, tags and files, to break out of what they are shown in."""

from app.errors import InvalidInput
from app.limits import check_name

TEXTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload='alert(1)",
    "]]><![CDATA[",
    "--><b>bold</b><!--",
    "</details></td></table>",
    "<!-- curvewise-check curvewise -->",
    "::error file=x::owned",
    "a%0A::error::owned",
    "x,title=owned:y",
    "##[error]owned",
    "##vso[task.setvariable variable=x]owned",
    "@everyone",
    "a@b",
    "#1 closes #2",
    "# heading",
    "# EOF",
    "`code` | cell || cell",
    "``` fence",
    "a\\|b\\",
    "*bold* _thin_ ~~gone~~",
    "[link](javascript:alert(1))",
    "![picture](https://example.org/x.png)",
    "&lt;&amp;&#60;",
    "{{7*7}}{% raw %}",
    "${HOME}$(id)`id`",
    "'; DROP TABLE runs; --",
    'a"b\\"c',
    "%41%2f..",
    "..\\..\\x",
    "-rf",
    "=cmd()|' '",
    "\u202egnp.exe",
    "line\u2028line\u0085line",
    "e\u0301 \N{SLIGHTLY SMILING FACE} \u540d\u524d \ufeff",
    "\x1b[31mred\x1b]0;owned\x07",
    "a\nb\r\nc\td",
    "nul\x00",
    "half \udc80",
    "\ufffe\uffff",
    " ",
    "x" * 250,
)


def _is_name(text: str) -> bool:
    try:
        check_name("run", text)
    except InvalidInput:
        return False
    return True


NAMES = tuple(text for text in TEXTS if _is_name(text))  # those that a run or a project can have
