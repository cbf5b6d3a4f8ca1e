"""Isotonic regression for many classes: IRM and IROvA-TS (Zhang, Kailkhura, Han: Mix-n-Match)."""

import math

import numpy as np
import torch
from torch import Tensor

from arcal.arrays import TensorLike, row_blocks
from arcal.calibration.bins import ROUNDING
from arcal.calibration.posthoc._scaled import worse_than_uniform
from arcal.calibration.posthoc.calibration_set import LogProbabilities, as_calibration_set
from arcal.calibration.posthoc.calibrator import Calibrator, fitted
from arcal.calibration.posthoc.temperature import as_temperature
from arcal.errors import ArcalError

COLUMNS = 8
"""How many classes are taken from a matrix at a time: a cache line."""
SLOPE = 1e-9
"""The slope of the line that makes a monotone function strictly so, as in the published code."""
AHEAD = 2.0**-22
"""Logarithms that differ by this share also differ in float32, whatever the rounding."""


class MultiClassIsotonic(Calibrator):
    """IRM: q = (f(p) + SLOPE p) / constant, one strictly increasing function for all classes.

    f is linear between its knots `x` `(K,)`, ascending in [0, 1], and flat beyond them; `y` `(K,)`
    are its values, non-decreasing and not negative.

    It keeps the order of the classes, except that float64 may no longer tell apart two classes
    whose probabilities differ by less than 1e-7. In float32 the slope is lost in rounding: classes
    between which f is flat become equally probable. Only the predicted class is kept ahead of the
    others, by at least `AHEAD` of the logarithm, so that predictions and accuracy stay as they are.

    >>> halved = MultiClassIsotonic(x=torch.tensor([0.2, 0.8]), y=torch.tensor([0.1, 0.3]))
    >>> halved.double()(torch.tensor([[0.9, 0.1]]).log()).exp()  # .3 : .1
    tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """

    kind = "irm"
    keeps_order = True
    x: Tensor
    y: Tensor

    def __init__(self, x: Tensor, y: Tensor):
        super().__init__(x=fitted(x, "x", ndim=1), y=fitted(y, "y", ndim=1))

    def calibrate(self, log_p: Tensor) -> Tensor:
        p, x, y = log_p.exp(), self.x.to(log_p), self.y.to(log_p)
        f = interpolate(p.flatten()[None], x[None], y[None]).reshape_as(p)
        log_q = _strict_log(f, log_p).log_softmax(1)
        return _ahead(log_q, log_p).log_softmax(1)

    def extra_repr(self) -> str:
        return f"knots={len(self.x)}"


def fit_irm(
    log_p: LogProbabilities, labels: TensorLike, *, weights: TensorLike | None = None
) -> MultiClassIsotonic:
    """Isotonic regression of "is it the label?" on the probability, all N Z pairs in one fit.

    No inputs, and a -inf in a class that is not -inf in every row, raise `ArcalError`.

    >>> log_p = torch.tensor([[0.9, 0.1]]).log().expand(4, 2)
    >>> fit_irm(log_p, torch.tensor([0, 0, 0, 1])).y  # right 3 times in 4
    tensor([0.2500, 0.7500], dtype=torch.float64)
    """
    given = as_calibration_set(log_p, labels, weights)
    log_p, labels = given.finite
    p, w = log_p.exp(), given.weights
    hits = p.gather(1, labels[:, None])[:, 0]
    each = w[:, None].expand_as(p)
    return MultiClassIsotonic(*fit_isotonic(p.flatten(), each.flatten(), hits, w))


class OneVsAllIsotonic(Calibrator):
    """IROvA-TS: temperature scaling, then a separate function f_z for each class, normalised.

    q_z = (f_z(p_z) + SLOPE p_z) / constant, with p at temperature `T`. Row z of `x` and `y`
    `(Z, K)` has the knots of f_z, as in `MultiClassIsotonic`, the last one repeated where f_z has
    fewer than K. A T that is not above 0, and predictions of another number of classes, raise
    `ArcalError`. It can change predictions, and so accuracy.

    >>> x, y = torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([[0.0, 0.5], [0.0, 1.0]])
    >>> OneVsAllIsotonic(1.0, x, y)(torch.tensor([[0.8, 0.2]]).log()).exp()  # .4 : .2
    tensor([[0.6667, 0.3333]], dtype=torch.float64)
    """

    kind = "irova-ts"
    T: Tensor
    x: Tensor
    y: Tensor

    def __init__(self, T: float | Tensor, x: Tensor, y: Tensor):
        x, y = fitted(x, "x", ndim=2), fitted(y, "y", ndim=2)
        super().__init__(T=as_temperature(T), x=x, y=y)

    def calibrate(self, log_p: Tensor) -> Tensor:
        Z = len(self.x)
        if log_p.shape[1] != Z:
            raise ArcalError(f"log_p has {log_p.shape[1]} classes, and it was fitted to {Z}")
        log_p = (log_p / self.T).log_softmax(1)
        f = interpolate(log_p.exp().T.contiguous(), self.x.to(log_p), self.y.to(log_p)).T
        return _strict_log(f, log_p).log_softmax(1)

    def extra_repr(self) -> str:
        return f"T={self.T:.4g}, classes={len(self.x)}"


def fit_irova_ts(
    log_p: LogProbabilities, labels: TensorLike, *, weights: TensorLike | None = None
) -> OneVsAllIsotonic:
    """`fit_temperature`, then an isotonic regression for each class against all others.

    With two classes the functions come out the same at any temperature, so T is 1 if none is better
    than the uniform distribution. A class without a validation input, and anything else that
    `fit_temperature` refuses, raise `ArcalError`.

    >>> log_p = torch.tensor([[0.9, 0.1]]).log().expand(4, 2)
    >>> fit_irova_ts(log_p, torch.tensor([0, 0, 0, 1])).y  # of class 0, of class 1
    tensor([[0.7500],
            [0.2500]], dtype=torch.float64)
    """
    given = as_calibration_set(log_p, labels, weights)
    z, labels = given.finite
    any_T = z.shape[1] == 2 and worse_than_uniform(z, labels, given.weights)
    T = 1.0 if any_T else given.T
    possible = given.possible[2].tolist()
    N, Z = z.shape
    absent = (labels.bincount(minlength=Z) == 0).nonzero()
    if len(absent):
        raise ArcalError(
            f"no input is of class {possible[int(absent[0])]}, counted from 0: one-vs-all "
            "isotonic regression needs some of every class, `irm` does not"
        )
    whole = torch.cat([(z[some] / T).logsumexp(1) for some in row_blocks(N, Z)])
    zero = torch.zeros(1, dtype=torch.float64, device="cpu")
    functions = [(zero, zero)] * given.log_p.shape[1]  # of a masked class
    by_label = labels.argsort(stable=True).split(labels.bincount(minlength=Z).tolist())
    for some in map(slice, range(0, Z, COLUMNS), range(COLUMNS, Z + COLUMNS, COLUMNS)):
        columns = (z[:, some] / T - whole[:, None]).T.contiguous().exp_()
        for k, p in enumerate(columns, start=some.start):
            own, w = by_label[k], given.weights
            functions[possible[k]] = fit_isotonic(p, w, p[own], w[own])
    x, y = zip(*functions, strict=True)
    return OneVsAllIsotonic(T, _as_rows(x), _as_rows(y))


def fit_isotonic(p: Tensor, w: Tensor, hits: Tensor, hit_w: Tensor) -> tuple[Tensor, Tensor]:
    """The non-decreasing function of p with the least squared error to 1 at `hits`, 0 elsewhere.

    `p` `(n,)` in [0, 1] have the weights `w` `(n,)` above 0; `hits` `(m,)`, some of them, have
    `hit_w`. Values that are equal up to rounding form one point; then adjacent violators are
    pooled. Returns knots and their values, both float64 `(K,)`: the ends of the pools.

    >>> p, w = torch.tensor([0.1, 0.2]), torch.tensor([3.0, 1.0])
    >>> fit_isotonic(p, w, p[:1], w[:1])  # 3 hits in 4
    (tensor([0.1000, 0.2000], dtype=torch.float64), tensor([0.7500, 0.7500], dtype=torch.float64))
    """
    x, place = np.unique(p.double().numpy(), return_inverse=True)
    n = np.bincount(place, weights=w.numpy())
    right = np.bincount(np.searchsorted(x, hits.double().numpy()), hit_w.numpy(), len(x))
    start, ends = _equal(x)
    n, right = (np.add.reduceat(one, start) for one in (n, right))
    return _pooled(right / n, n, ends)


def _equal(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each group of ascending `x` that are equal up to rounding begins; ends `(2, m)`."""
    start = np.flatnonzero(np.append(True, x[1:] > x[:-1] * (1 + ROUNDING)))
    return start, np.stack([x[start], x[np.append(start[1:], 0) - 1]])


def _pooled(share: np.ndarray, n: np.ndarray, ends: np.ndarray) -> tuple[Tensor, Tensor]:
    """Knots and values of the pools of ascending points with weights `n` and `ends` `(2, m)`."""
    from scipy.optimize import isotonic_regression  # takes a fifth of a second to import

    pooled = isotonic_regression(share, weights=n)
    begin, end = pooled.blocks[:-1], pooled.blocks[1:] - 1
    knots = np.column_stack([ends[0, begin], ends[1, end]])
    two = np.column_stack([np.full(len(knots), True), knots[:, 0] < knots[:, 1]])
    values = np.repeat(pooled.x[begin][:, None], 2, axis=1)
    return torch.from_numpy(knots[two]), torch.from_numpy(values[two])


def interpolate(p: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Values `(F, n)` at `p` `(F, n)` of F functions, each with a row of knots `x`, `y` `(F, K)`.

    Linear between ascending knots and flat beyond them; of equal knots the last one counts. The
    arithmetic is that of `numpy.interp`. Gradients flow to `p`.

    >>> x, y = torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[0.1, 0.2, 0.8]])
    >>> interpolate(torch.tensor([[0.25, 0.75, 2.0]]), x, y)
    tensor([[0.1500, 0.5000, 0.8000]])
    """
    p = torch.maximum(p, x[:, :1])
    last = x.shape[1] - 1
    if torch.compiler.is_exporting():  # ONNX has no search: count the knots passed
        passed = (p[..., None] >= x[:, None]).sum(2)
    else:
        passed = torch.searchsorted(x, p, right=True)  # nan is beyond the last
    left = (passed - 1).clamp(0, last)
    right = (left + 1).clamp(max=last)
    x_left, y_left = x.gather(1, left), y.gather(1, left)
    slope = (y.gather(1, right) - y_left) / (x.gather(1, right) - x_left)
    slope = torch.where(slope.isfinite(), slope, 0)  # at the last knot, or too steep for a float
    return slope * (p - x_left) + y_left


def _strict_log(f: Tensor, log_p: Tensor) -> Tensor:
    """log(f + SLOPE p): where f is 0 or flat, p still counts."""
    line = log_p + math.log(SLOPE)
    positive = f > 0
    log_f = torch.where(positive, f, 1).log()  # no logarithm of 0, whose gradient is not finite
    log_f = torch.where(positive, torch.logaddexp(log_f, line), line)
    return log_f.masked_fill(log_p.isneginf(), -torch.inf)  # an impossible class stays so


def _ahead(log_q: Tensor, log_p: Tensor) -> Tensor:
    """Logarithms of q with the predicted class ahead of the others, if only just."""
    predicted = log_p == log_p.amax(1, keepdim=True)
    others = log_q.masked_fill(predicted, -torch.inf).amax(1, keepdim=True)
    others = others.clamp(min=-1e30)  # not -inf, and logarithms are not above 0
    least = others - AHEAD * others  # ONNX's optimiser takes a factor 1 - AHEAD for 1
    return log_q.where(~predicted, log_q.maximum(least))


def _as_rows(functions: tuple[Tensor, ...]) -> Tensor:
    """`(F, K)`, each row ended by repeats of its last value."""
    K = max(map(len, functions))
    return torch.stack([torch.cat([f, f[-1:].expand(K - len(f))]) for f in functions])
