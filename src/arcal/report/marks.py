"""How subjects and quantities are drawn in pictures and on pages: names, colours, markers."""

from dataclasses import dataclass

INK, FAINT = "#1a1d21", "#8a9099"
OVER, UNDER = "#D55E00", "#0072B2"
"""Tints of confidence above accuracy (over-confident) and below it (under-confident)."""


@dataclass(frozen=True)
class Mark:
    """How a subject or a quantity is drawn: its name in the legend, its colour and its marker."""

    name: str
    colour: str
    marker: str


METHOD_MARKS = {
    "vanilla": Mark("Vanilla", "#555555", "o"),
    "label-smoothing": Mark("Label smoothing", "#E69F00", "s"),
    "adals": Mark("AdaLS", "#56B4E9", "^"),
    "ar-adals": Mark("AR-AdaLS", "#0072B2", "D"),
}
"""The paper's four methods, by their names in `arcal.methods`.

The colours are safe for colour-blind readers (the palette of Okabe and Ito), and never the only
distinction: each comes with a marker.
"""
SPARE_MARKS = (("#009E73", "v"), ("#CC79A7", "P"), ("#D55E00", "X"), ("#882255", "p"))
"""Colours and markers for other subjects, in the order in which they are used."""
CONFIDENCE, ACCURACY = Mark("confidence", OVER, "s"), Mark("accuracy", INK, "o")
