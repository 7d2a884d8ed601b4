"""A curve as a word-sized picture, for a row of a table."""

import math
from collections.abc import Sequence

_WIDTH, _HEIGHT, _EDGE = 120.0, 24.0, 2.0  # [pixels]


def sparkline(values: Sequence[float]) -> str:
    """An SVG element of 120 by 24 pixels in the colour of the text around it; a break where a value is not finite.

    values: evenly spaced, in order. On a logarithmic scale where all are above zero and span more than 20 times.
    Hidden from screen readers: the row around it says what it shows. Only numbers go in, so nothing is escaped.
    """
    finite = [value for value in values if math.isfinite(value)]
    shown = [math.log(v) if v > 0 else math.nan for v in values] if _suits_log(finite) else list(values)
    levels = [value for value in shown if math.isfinite(value)]
    low, high = min(levels, default=0.0), max(levels, default=0.0)
    pieces: list[list[str]] = [[]]
    for index, value in enumerate(shown):
        if not math.isfinite(value):
            pieces.append([])
            continue
        across = _EDGE + (_WIDTH - 2 * _EDGE) * index / max(len(shown) - 1, 1)
        share = (value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
        pieces[-1].append(f"{across:.1f} {_HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * share:.1f}")
    path = "".join(f"M{'L'.join(piece)}" if len(piece) > 1 else f"M{piece[0]}h.1" for piece in pieces if piece)
    return (
        f'<svg class="sparkline" width="{_WIDTH:g}" height="{_HEIGHT:g}" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" '
        f'aria-hidden="true" focusable="false"><path d="{path}" fill="none" stroke="currentColor" stroke-width="1.5" '
        'stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )


def _suits_log(finite: Sequence[float]) -> bool:
    return bool(finite) and min(finite) > 0 and max(finite) / 20 > min(finite)
