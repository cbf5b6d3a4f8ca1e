"""The style, files and panels of pictures, for the report and the paper."""

import base64
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from torch import Tensor

from arcal.auditing import INTENSITIES, LevelFigures, Means, Spread
from arcal.errors import ArcalError
from arcal.files import write_text, write_whole
from arcal.report.marks import ACCURACY, CONFIDENCE, FAINT, INK, OVER, UNDER, Mark

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
    "pdf.fonttype": 42,  # whole fonts, which journals ask for
}

WIDTH = 10.0
"""The width of a picture in inches, that of the page's column."""

UNDATED: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}
"""The metadata left out of each kind of file, so that the bytes do not depend on the date."""

FONTS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
"""The fonts in a page, because its readers may not have DejaVu Sans."""


def render(name: str, draw: Callable[[], Figure], folder: Path) -> str:
    """Draw a picture, write folder/NAME.svg and NAME.png, and return the SVG's text."""
    with mpl.rc_context(_style(name)):
        figure = draw()
        text = _svg(figure, name)
        figure.set_layout_engine("none")  # keep the layout of the SVG for the PNG
        figure.set_dpi(144)
        png = io.BytesIO()  # `savefig` would draw it twice
        FigureCanvasAgg(figure).print_png(png, metadata=UNDATED["png"])
    write_text(folder / f"{name}.svg", text)
    write_whole(folder / f"{name}.png", lambda to: to.write_bytes(png.getvalue()))
    return text


def as_svg(name: str, draw: Callable[[], Figure]) -> str:
    """Draw a picture and return the SVG's text."""
    with mpl.rc_context(_style(name)):
        return _svg(draw(), name)


def write_figure(path: Path, name: str, draw: Callable[[], Figure]) -> None:
    """Draw a picture and write it as .svg, .pdf or .png, with the same bytes each time.

    A file with another ending raises `ArcalError`.

    >>> write_figure(Path("empty.pdf"), "empty", lambda: Figure())
    >>> Path("empty.pdf").read_bytes()[:4]
    b'%PDF'
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in UNDATED:
        raise ArcalError(
            f"{path} is to be a picture: give it a name that ends in .svg, .pdf or .png"
        )
    if kind == "svg":
        write_text(path, as_svg(name, draw))
        return
    written = io.BytesIO()
    with mpl.rc_context(_style(name)):
        draw().savefig(written, format=kind, dpi=200, metadata=UNDATED[kind])
    write_whole(path, lambda to: to.write_bytes(written.getvalue()))


def _style(name: str) -> dict[Any, Any]:
    return STYLE | {"svg.hashsalt": name}


def _svg(figure: Figure, name: str) -> str:
    svg = io.StringIO()
    figure.savefig(svg, format="svg", metadata=UNDATED["svg"])
    return _with_own_ids(svg.getvalue(), name)


def as_address(svg: str) -> str:
    """An SVG picture as a `data:` address, with text in the reader's own font.

    >>> as_address("<svg></svg>")
    'data:image/svg+xml;base64,PHN2Zz48L3N2Zz4='
    """
    text = svg.replace("'DejaVu Sans'", FONTS)
    return f"data:image/svg+xml;base64,{base64.b64encode(text.encode()).decode()}"


def _with_own_ids(svg: str, name: str) -> str:
    """Put the picture's name before every id, because several pictures share one page.

    Equal images in one picture have equal ids, which nothing refers to; these are removed.
    """
    svg = re.sub(r'(<image [^>]*) id="[^"]*"', r"\1", svg)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    return re.sub(r'href="#', f'href="#{name}-', svg)


FEW_TYPES = 5
"""With fewer types of corruption, a box also shows them as points: its quartiles say little."""


def line(axes: Axes, x: Sequence[float], values: Tensor, mark: Mark, style: str = "-") -> None:
    """The mean of `(n, K)` over n runs at K places, with error bars of one standard deviation.

    A single run has no error bars.
    """
    axes.errorbar(
        x,
        values.mean(dim=0).numpy(),
        values.std(dim=0).numpy() if len(values) > 1 else None,
        color=mark.colour,
        marker=mark.marker,
        ls=style,
        label=mark.name,
        mec="white",
        mew=0.6,
        elinewidth=1.1,
        capsize=2.5,
        capthick=1.1,
    )


def level_axis(axes: Axes, R: int, narrow: bool = False) -> None:
    """An x axis of levels, 0 .. R - 1 from the least to the most robust."""
    axes.set_xlim(-0.4, R - 0.6)
    step = max(1, R // 10)
    axes.set_xticks(range(0, R, step))
    axes.grid(visible=False, axis="x")
    ends = ("least", "most") if narrow else ("least robust", "most robust")
    axes.set_xlabel(f"{ends[0]} ← robustness level → {ends[1]}")


def line_by_level(axes: Axes, values: Tensor, mark: Mark, style: str = "-") -> None:
    """Draw `(n, R)` over the levels, on a y axis from 0."""
    line(axes, range(values.shape[1]), values, mark, style)
    axes.set_ylim(bottom=0, auto=None)  # the next line may still go higher


def accuracy_and_confidence(axes: Axes, levels: LevelFigures) -> None:
    """Draw both by level; the space between them is tinted by which is higher."""
    places = range(levels.R)
    accuracy = levels.accuracy.mean(dim=0).numpy()
    confidence = levels.confidence.mean(dim=0).numpy()
    tint_between(axes, accuracy, confidence)
    line(axes, places, levels.confidence, CONFIDENCE, "--")
    line(axes, places, levels.accuracy, ACCURACY)
    axes.set_ylim(0, 1.02)
    axes.grid(visible=False, axis="x")


def tint_between(axes: Axes, accuracy: np.ndarray, confidence: np.ndarray) -> None:
    """Tint the space between both, `(R,)` over the levels, by which is higher."""
    places = range(len(accuracy))
    for tint, where in ((OVER, confidence >= accuracy), (UNDER, confidence <= accuracy)):
        axes.fill_between(
            places, accuracy, confidence, where=where, interpolate=True, color=tint, alpha=0.14
        )


@dataclass(frozen=True)
class Boxes:
    """One measure of a subject under shift; an ensemble is drawn `strong` beside single runs."""

    mark: Mark
    means: Means
    strong: bool = False

    def over_types(self, intensity: int) -> Spread | None:
        """The value of each type at an intensity; None if none was evaluated."""
        values = [float(values[intensity - 1]) for values in self.means.by_type.values()]
        evaluated = tuple(value for value in values if not np.isnan(value))
        return Spread(evaluated) if evaluated else None

    def marker(self, size: float = 5) -> dict[str, Any]:
        """How its value on the clean test set is drawn."""
        colour = self.mark.colour
        face = colour if self.strong else to_rgba(colour, 0.22)
        return {"color": face, "marker": self.mark.marker, "mec": colour, "mew": 1.0, "ms": size}


def box_plots(
    axes: Axes, subjects: Sequence[Boxes], intensities: Sequence[int] = INTENSITIES
) -> None:
    """One box per subject at each intensity, side by side; the clean test set comes first.

    A box spans the quartiles over types of corruption; its whiskers end at the minimum and maximum.
    """
    step = 0.84 / len(subjects)
    for i, one in enumerate(subjects):
        offset, colour = (i - (len(subjects) - 1) / 2) * step, one.mark.colour
        for place, intensity in enumerate(intensities, 1):
            spread = one.over_types(intensity)
            if spread is None:
                continue
            axes.boxplot(
                [spread.values],
                positions=[place + offset],
                widths=0.8 * step,
                whis=(0, 100),
                showfliers=False,
                patch_artist=True,
                manage_ticks=False,
                boxprops={
                    "facecolor": to_rgba(colour, 0.75 if one.strong else 0.22),
                    "edgecolor": colour,
                    "lw": 0.9,
                },
                medianprops={"color": INK, "lw": 1.3},
                whiskerprops={"color": colour, "lw": 1.0},
                capprops={"color": colour, "lw": 1.0},
            )
            if len(spread.values) < FEW_TYPES:
                x = [place + offset] * len(spread.values)
                axes.plot(x, spread.values, "o", ms=2.2, color=INK, mew=0)
        axes.plot([offset], [one.means.clean.mean], ls="", **one.marker())
    axes.set_xticks(range(len(intensities) + 1), labels=["clean", *map(str, intensities)])
    axes.set_xlim(-0.55, len(intensities) + 0.55)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    for between in np.arange(len(intensities)) + 0.5:
        axes.axvline(between, color="#e6e8eb", lw=0.8, zorder=0)


def entropies(
    axes: Axes, inside: Tensor, outside: Tensor, highest: float, colour: str
) -> list[Artist]:
    """Draw shares `(n, BINS)` of images by entropy from 0 to `highest`, in %, as means over runs.

    The subject's own test set is a grey area, the other data a coloured line.
    """
    own, other = (100 * shares.mean(dim=0).numpy() for shares in (inside, outside))
    edges = np.linspace(0, highest, len(own) + 1)
    return [
        axes.stairs(own, edges, fill=True, color=FAINT, alpha=0.35),
        axes.stairs(other, edges, color=colour, lw=1.6),
    ]


def pair(axes: Axes, y: float, accuracy: Spread, confidence: Spread, *, labelled: bool) -> None:
    """Draw accuracy and confidence as markers joined by a bar, with bars of one deviation."""
    tint = OVER if confidence.mean > accuracy.mean else UNDER
    axes.plot([accuracy.mean, confidence.mean], [y, y], color=tint, lw=6, alpha=0.3)
    for spread, mark in ((confidence, CONFIDENCE), (accuracy, ACCURACY)):
        axes.errorbar(
            [spread.mean],
            [y],
            xerr=spread.deviation,
            color=mark.colour,
            marker=mark.marker,
            ls="",
            mec="white",
            mew=0.6,
            ms=6,
            capsize=2.5,
            elinewidth=1.1,
            label=mark.name if labelled else None,
        )
