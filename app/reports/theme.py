"""Colours and type of charts, as Vega configs: a chart says what a mark is, the theme how it looks.

Every colour stands out from its ground by 3 to 1, text by 4.5 to 1, so a chart reads in print, on a page and at night.
"""

from typing import Literal

Theme = Literal["light", "dark"]
Config = dict[str, object]

TRAIN, VAL = "train", "val"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def config(theme: Theme) -> Config:
    """The config to draw with: `background`, axes, legend, and a style for each kind of mark."""
    c = _COLOURS[theme]
    text = {"labelColor": c["text"], "titleColor": c["text"], "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": c["ground"],
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "gridColor": c["grid"],
            "domainColor": c["line"],
            "tickColor": c["line"],
        },
        "legend": {**text, "labelLimit": 150, "symbolStrokeWidth": 2.5, "symbolSize": 400, "symbolOpacity": 1},
        "title": {"color": c["strong"], "fontSize": 14, "anchor": "start", "subtitleColor": c["text"]},
        "range": {"category": _SERIES[theme]},
        "style": {
            "flat": {"color": c["mark"], "opacity": 0.13},
            "onset": {"color": c["mark"], "strokeWidth": 1.5, "strokeDash": [5, 3]},
            "best": {"color": c["good"], "strokeWidth": 1.5},
            "best-point": {"color": c["good"], "strokeWidth": 2.5, "filled": False},
            "done": {"color": c["text"], "strokeWidth": 2},
            "cut": {"color": c["text"], "strokeWidth": 1.5, "strokeDash": [1, 3]},
            "forecast-band": {"color": _SERIES[theme][1], "opacity": 0.18},
            "forecast-line": {"color": _SERIES[theme][1], "strokeWidth": 2, "strokeDash": [2, 3]},
            "note": {"color": c["strong"], "fontSize": 12, "fontWeight": 600},
        },
    }


_COLOURS: dict[Theme, dict[str, str]] = {
    "light": {
        "ground": "#ffffff",
        "text": "#565d66",
        "strong": "#1c2127",
        "grid": "#e8eaed",
        "line": "#b6bcc4",
        "mark": "#b3261e",
        "good": "#1a7f37",
    },
    "dark": {
        "ground": "#14171c",
        "text": "#a4adb8",
        "strong": "#e8ebef",
        "grid": "#272c34",
        "line": "#4b535e",
        "mark": "#ff8a80",
        "good": "#57c878",
    },
}
# Train, val, then as many as a comparison has; hues that the colour blind tell apart (after Okabe and Ito).
_SERIES: dict[Theme, list[str]] = {
    "light": ["#0f6cbd", "#c2410c", "#0a7a5a", "#8a3ffc", "#9a6700", "#be185d", "#0e7490", "#4d5866"],
    "dark": ["#62b0f5", "#fb9a5b", "#4fc79b", "#b794f6", "#e0b341", "#f48fb1", "#5bc8dc", "#aab4c0"],
}
