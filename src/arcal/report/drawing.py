"""How pictures look and how they are written: the same bytes for the same figures."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from arcal.files import write_whole

INK, FAINT = "#1a1d21", "#8a9099"
OVER, UNDER = "#D55E00", "#0072B2"
"""Tints of confidence above accuracy (over-confident) and below it (under-confident)."""

STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.parse_math": False,  # a class may be called $5
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",  # text stays text: small, sharp, can be searched
    "svg.image_inline": True,
}

WIDTH = 10.0
"""Inches; the page's column is as wide."""

FONTS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
"""In a page, whose reader may have no DejaVu Sans."""


def render(name: str, draw: Callable[[], Figure], folder: Path) -> str:
    """Draw a picture, write folder/NAME.svg and NAME.png, and return the SVG's text."""
    with mpl.rc_context(_style(name)):
        figure = draw()
        text = _svg(figure, name)
        figure.set_layout_engine("none")  # it is laid out: once is enough, and both are the same
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=144, metadata={"Software": None})
    write_whole(folder / f"{name}.svg", lambda to: to.write_text(text, encoding="utf-8"))
    write_whole(folder / f"{name}.png", lambda to: to.write_bytes(png.getvalue()))
    return text


def as_svg(name: str, draw: Callable[[], Figure]) -> str:
    """Draw a picture and return the SVG's text."""
    with mpl.rc_context(_style(name)):
        return _svg(draw(), name)


def _style(name: str) -> dict[Any, Any]:
    return STYLE | {"svg.hashsalt": name}


def _svg(figure: Figure, name: str) -> str:
    svg = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(svg, format="svg", metadata=nothing)
    return _with_own_ids(svg.getvalue(), name)


def as_address(svg: str) -> str:
    """An SVG picture as a `data:` address, its letters in the reader's own font.

    >>> as_address("<svg></svg>")
    'data:image/svg+xml;base64,PHN2Zz48L3N2Zz4='
    """
    text = svg.replace("'DejaVu Sans'", FONTS)
    return f"data:image/svg+xml;base64,{base64.b64encode(text.encode()).decode()}"


def _with_own_ids(svg: str, name: str) -> str:
    """Put the picture's name before every id, as several pictures share one page.

    Equal images of one picture have equal ids, which nothing refers to: those are left out.
    """
    svg = re.sub(r'(<image [^>]*) id="[^"]*"', r"\1", svg)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    return re.sub(r'href="#', f'href="#{name}-', svg)
