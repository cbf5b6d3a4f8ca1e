"""How the figures of the paper draw methods, and values over their runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from torch import Tensor


@dataclass(frozen=True)
class Look:
    """A method's name, colour and marker in every figure; safe for colour-blind readers."""

    name: str
    colour: str
    marker: str


LOOKS = {
    "vanilla": Look("Vanilla", "#555555", "o"),
    "ls": Look("LS", "#E69F00", "s"),
    "adals": Look("AdaLS", "#56B4E9", "^"),
    "ar-adals": Look("AR-AdaLS", "#0072B2", "D"),
    "on-the-fly": Look("AR-AdaLS", "#0072B2", "D"),
    "of-ensemble": Look("AR-AdaLS of Ensemble", "#009E73", "v"),
}
"""By the keys of `scales.METHODS`."""


def line(axes: Axes, at: Sequence[float], values: Tensor, look: Look, style: str = "-") -> None:
    """The mean of `(n, K)` over n runs at K places, with a bar of one deviation on either side."""
    deviation = values.std(dim=0).numpy() if len(values) > 1 else None
    axes.errorbar(
        at,
        values.mean(dim=0).numpy(),
        deviation,
        color=look.colour,
        marker=look.marker,
        ls=style,
        label=look.name,
        mec="white",
        mew=0.6,
        elinewidth=1.1,
        capsize=2.5,
        capthick=1.1,
    )
