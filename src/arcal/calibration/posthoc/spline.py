"""Calibration by a spline (Gupta, Rahimi, Ajanthan, Mensink, Sminchisescu, Hartley, ICLR 2021)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.bins import differ
from arcal.calibration.posthoc.calibration_set import LogProbabilities, as_calibration_set
from arcal.calibration.posthoc.calibrator import Calibrator, fitted
from arcal.calibration.posthoc.isotonic import interpolate
from arcal.errors import ArcalError

KNOTS = 6
"""The number of knots of the spline, as in the paper."""
POINTS = 100
"""The points at which its slope is stored; in between, the map is linear."""
ENDS = 1e-5
"""A calibrated confidence lies this far from 0 and from 1, whatever the slope of the spline is."""


class Spline(Calibrator):
    """The confidence s becomes gamma(s); the other classes share 1 - gamma(s) as they did 1 - s.

    gamma is linear between its knots `x` `(K,)`, ascending in [0, 1], with values `y` `(K,)` in
    [0, 1], and flat beyond them.

    The paper calibrates the confidence alone. Here the prediction has to stay, so gamma(s) is at
    least r / (1 + r), with r = p_2nd / (1 - s), which makes the second class equally probable.
    Above it no class overtakes another; at it the first two are equal, up to one part in a million.

    >>> spline = Spline(x=torch.tensor([0.2, 0.8]), y=torch.tensor([0.3, 0.6])).double()
    >>> spline(torch.tensor([[0.8, 0.15, 0.05]]).log()).exp()
    tensor([[0.6000, 0.3000, 0.1000]], dtype=torch.float64)
    """

    kind = "spline"
    keeps_order = True
    x: Tensor
    y: Tensor

    def __init__(self, x: Tensor, y: Tensor):
        super().__init__(x=fitted(x, "x", ndim=1), y=fitted(y, "y", ndim=1))

    def calibrate(self, log_p: Tensor) -> Tensor:
        first = log_p.argmax(1, keepdim=True)
        top = torch.zeros_like(log_p, dtype=torch.bool).scatter(1, first, True)
        s = log_p.gather(1, first).exp()
        gamma = interpolate(s.T.contiguous(), self.x.to(log_p)[None], self.y.to(log_p)[None]).T
        lowest = torch.finfo(log_p.dtype).min
        rest = log_p.masked_fill(top, -torch.inf)  # of the others, as shares of their sum
        rest = rest - rest.amax(1, keepdim=True).clamp(min=lowest)  # onnxruntime's sum may be 0
        rest = rest - rest.logsumexp(1, keepdim=True).clamp(min=lowest)
        r = rest.amax(1, keepdim=True).exp()
        gamma = torch.maximum(gamma.clamp(ENDS, 1 - ENDS), (r / (1 + r) + 1e-6).clamp(max=1))
        q = torch.where(top, gamma.log(), (1 - gamma).log() + rest)
        return q.log_softmax(1)

    def extra_repr(self) -> str:
        return f"knots={len(self.x)}"


def fit_spline(
    log_p: LogProbabilities, labels: TensorLike, *, weights: TensorLike | None = None
) -> Spline:
    """gamma(s_i) = h'(t_i - w_i / 2W) at scores s_i in ascending order, t_i = sum_{j <= i} w_j / W.

    h is the natural cubic spline with h(0) = 0 and 6 knots at equal distances that has the least
    squared distance to the cumulative accuracy h(t_i) = 1/W sum_{j <= i} w_j [input j is right],
    with W the sum of the weights, 1 each by default. If scores are calibrated, its slope is the
    score. Equal scores all count with their mean accuracy. The knots of gamma are 100 of the
    scores, or all if there are fewer. There is an optimum for any labels, even if all inputs are
    right. Fewer inputs than twice the knots raise `ArcalError`.

    >>> log_p = torch.tensor([[0.9, 0.1]]).log().expand(400, 2)
    >>> fit_spline(log_p, torch.tensor([0, 0, 0, 1] * 100))(log_p)[0].exp().round(decimals=2)
    tensor([0.7500, 0.2500], dtype=torch.float64)
    """
    given = as_calibration_set(log_p, labels, weights)
    log_p, labels = given.finite
    N = len(labels)
    if N < 2 * KNOTS:
        raise ArcalError(f"{N} validation inputs are too few for a spline of {KNOTS} knots")
    from scipy.interpolate import CubicSpline  # takes a fifth of a second to import

    log_s, predicted = log_p.max(1)
    s, order = log_s.exp().clamp(max=1).sort(stable=True)
    w = given.weights[order]
    _, group, mean = _by_score(s, (predicted == labels).double()[order], w)
    correct = mean[group]  # the order of equal scores among themselves says nothing
    share = w.numpy() / given.n
    t = (w.cumsum(0) / given.n).numpy()
    cumulative = (w * correct).cumsum(0).numpy() / given.n
    # h(0) = 0 is the first knot's value, and leaves the other values to be found.
    knots = np.linspace(0, 1, KNOTS)
    cardinal = CubicSpline(knots, np.eye(KNOTS), bc_type="natural")
    root = np.sqrt(w.numpy())
    rows = root[:, None] * cardinal(t)[:, 1:]
    values = np.linalg.lstsq(rows, root * cumulative, rcond=None)[0]
    h = CubicSpline(knots, np.concatenate([[0], values]), bc_type="natural")
    points = np.unique(np.linspace(0, N - 1, min(POINTS, N)).round().astype(int))
    slope = h(t[points] - share[points] / 2, 1).clip(0, 1)
    chosen = torch.from_numpy(points)
    x, _, y = _by_score(s[chosen], torch.from_numpy(slope), w[chosen])
    return Spline(x, y)


def _by_score(s: Tensor, values: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each distinct score, up to rounding; which of them each row has; and their mean values."""
    first = F.pad(differ(s), (1, 0), value=True)
    group = first.cumsum(0) - 1
    nothing = torch.zeros(int(first.sum()), dtype=s.dtype, device="cpu")
    total, whole = (nothing.index_add(0, group, one) for one in (w * values, w))
    return s[first], group, total / whole
