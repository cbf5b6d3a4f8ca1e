"""Dirichlet calibration (Kull, Perelló-Nieto, Kängsepp, Silva Filho, Song, Flach, NeurIPS 2019)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.arrays import TensorLike, row_blocks
from arcal.calibration.posthoc._linear import (
    Parameters,
    as_linear_examples,
    bounded,
    fit_linear,
)
from arcal.calibration.posthoc.calibration_set import LogProbabilities
from arcal.calibration.posthoc.calibrator import Calibrator, fitted, with_gradients
from arcal.errors import ArcalError

LEFT_OUT = 3
"""One in this many inputs of each label is left out, to choose the strength by.

They are taken in the order of the label's probability, so they are the same for any order of the
rows, and as hard as the others."""
STRENGTHS = (10.0, 1.0, 0.1)
"""Values of lambda = mu, the strongest first; each fit begins where the one before it ended."""
FEW = 300
"""With at most this many numbers in W and b, Newton's method is used: its matrix is quadratic."""
STEPS, HALVED, OPTIMAL = 100, 30, 1e-13
"""The most Newton steps, the most halvings of each, and the tolerance: twice the distance of the
objective from its optimum."""


class Dirichlet(Calibrator):
    """log q = W log p + b + constant: each class's probability affects all others.

    This is the paper's linear parametrisation. `W` is `(Z, Z)` and `b` `(Z,)`; predictions of
    another number of classes raise `ArcalError`. It can change predictions, and so accuracy.

    >>> halved = Dirichlet(torch.eye(2) / 2, torch.zeros(2)).double()
    >>> halved(torch.tensor([[0.9, 0.1]]).log()).exp()
    tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """

    kind = "dirichlet"
    W: Tensor
    b: Tensor

    def __init__(self, W: Tensor, b: Tensor):
        super().__init__(W=fitted(W, "W", ndim=2), b=fitted(b, "b", ndim=1))

    def calibrate(self, log_p: Tensor) -> Tensor:
        if log_p.shape[1] != len(self.b):
            raise ArcalError(
                f"log_p has {log_p.shape[1]} classes, and it was fitted to {len(self.b)}"
            )
        q = bounded(log_p) @ self.W.to(log_p).T + self.b.to(log_p)
        return q.masked_fill(log_p.isneginf(), -torch.inf).log_softmax(1)

    def extra_repr(self) -> str:
        return f"classes={len(self.b)}"


@with_gradients
def fit_dirichlet(
    log_p: LogProbabilities,
    labels: TensorLike,
    *,
    weights: TensorLike | None = None,
    strength: float | None = None,
) -> Dirichlet:
    """The W and b with the lowest NLL + ODIR, off-diagonal and intercept regularisation:

        lambda / (Z (Z - 1)) sum_{i != j} W_ij^2  +  mu / Z sum_j b_j^2

    `strength` is lambda = mu. By default it is chosen from `STRENGTHS` by the log-loss on a third
    of each label's inputs, which are left out for this; then all inputs are fitted. A class that is
    -inf in every row is left out. Labels `(N,)` of a single class, and a label whose
    log-probability is -inf, raise `ArcalError`.

    With many classes it is slow: each of up to four fits takes up to 500 steps, and each step two
    products of the log-probabilities with a matrix `(Z, Z)`. For 1,000 classes this takes minutes.

    >>> log_p = torch.tensor([[0.9, 0.1]]).log().expand(4000, 2)
    >>> fit_dirichlet(log_p, torch.tensor([0, 0, 0, 1] * 1000))(log_p)[0].exp().round(decimals=2)
    tensor([0.7500, 0.2500], dtype=torch.float64)
    """
    given = as_linear_examples(log_p, labels, weights)
    # A masked class would be a constant column, whose weights act as offsets without a penalty.
    log_p, labels, classes = given.possible
    if strength is None:
        strength = _strength(log_p, labels, given.weights)
    elif not strength > 0:
        raise ArcalError(f"strength must be above 0, not {strength:g}")
    W, b = _identity(given.log_p.shape[1])
    W[classes[:, None], classes], b[classes] = _fit(
        log_p, labels, given.weights, strength, _identity(len(classes))
    )
    return Dirichlet(W, b)


def _identity(Z: int) -> Parameters:
    return Parameters(torch.eye(Z, device="cpu").double(), torch.zeros(Z, device="cpu").double())


def _fit(
    log_p: Tensor, labels: Tensor, weights: Tensor, strength: float, start: Parameters
) -> Parameters:
    n, Z = weights.sum(), log_p.shape[1]
    if Z * (Z + 1) <= FEW:
        return _newton(bounded(log_p), labels, weights / n, strength, start)
    off = 1 - torch.eye(Z, device="cpu").double()

    def penalty(of: Parameters) -> Tensor:
        odir = (of.W * off).square().sum() / max(Z * (Z - 1), 1) + of.b.square().sum() / Z
        return n * strength * odir

    def scores(z: Tensor, of: Parameters) -> Tensor:
        return z @ of.W.T + of.b

    def slopes(in_scores: Tensor, z: Tensor) -> Tensor:
        return in_scores.T @ z

    return fit_linear(log_p, labels, weights, start, scores, slopes, penalty)


def _newton(z: Tensor, labels: Tensor, w: Tensor, strength: float, start: Parameters) -> Parameters:
    """The optimum by Newton's method, for weights `w` `(N,)` that sum to 1.

    With x = (z, 1), V = (W, b) and p the softmax of V x, the NLL has the derivatives

        g_k = sum w (p_k - y_k) x,   H_kl = sum w (p_k [k = l] - p_k p_l) x x^T,

    to which the penalty adds c V and c, with c its factor for each number. Steps are halved until
    the objective falls by a quarter of what its slope says, or more.
    """
    N, Z = z.shape
    x = torch.cat([z, torch.ones_like(z[:, :1])], dim=1)
    V = torch.cat([start.W, start.b[:, None]], dim=1)
    c = torch.full_like(V, 2 * strength / Z)
    c[:, :Z] = (1 - torch.eye(Z, device="cpu").double()) * 2 * strength / max(Z * (Z - 1), 1)

    def objective(V: Tensor) -> float:
        logits = (x[some] @ V.T for some in blocks)
        losses = [F.cross_entropy(q, y, reduction="none") for q, y in zip(logits, of, strict=True)]
        return (w @ torch.cat(losses) + (c * V.square()).sum() / 2).item()

    blocks = [*row_blocks(N, V.numel())]
    of = [labels[some] for some in blocks]
    loss = objective(V)
    for _ in range(STEPS):
        g, H = c * V, torch.diag(c.flatten())
        for some, y in zip(blocks, of, strict=True):
            p, wx = (x[some] @ V.T).softmax(1), w[some, None] * x[some]
            g += (p - F.one_hot(y, Z)).T @ wx
            px = (p[:, :, None] * x[some, None]).flatten(1)
            H -= px.T @ (px * w[some, None])
            diagonal = torch.einsum("nk,ni,nj->kij", p, wx, x[some])
            H += torch.block_diag(*diagonal)
        step, singular = torch.linalg.solve_ex(H, g.flatten())
        if singular:  # where a class has no inputs, or is told apart by its own probability alone
            step = torch.linalg.pinv(H, hermitian=True) @ g.flatten()
        step = step.view_as(V)
        slope = (g * step).sum().item()
        sizes = [0.5**halved for halved in range(HALVED)]
        lower = ((V - size * step, size, objective(V - size * step)) for size in sizes)
        better = next(((V, now) for V, size, now in lower if now < loss - size * slope / 4), None)
        if better is None or slope < OPTIMAL:
            break
        V, loss = better
    return Parameters(V[:, :Z].clone(), V[:, Z].clone())


def _strength(log_p: Tensor, labels: Tensor, weights: Tensor) -> float:
    own = log_p.gather(1, labels[:, None])[:, 0]
    # A number that tells rows apart if all else is equal.
    mixed = bounded(log_p) @ torch.arange(log_p.shape[1], device="cpu").double().cos()
    by = (mixed, weights, log_p.amax(1), own, labels)  # the last key counts first
    order = np.lexsort([key.numpy() for key in by])
    out = torch.empty(len(labels), dtype=torch.bool, device="cpu")
    out[torch.from_numpy(order)] = torch.arange(len(labels), device="cpu") % LEFT_OUT == 0
    if len(labels[~out].unique()) < 2:  # such as three inputs, one of them alone in its class
        return STRENGTHS[0]
    linear, losses = _identity(log_p.shape[1]), {}
    for strength in STRENGTHS:
        linear = _fit(log_p[~out], labels[~out], weights[~out], strength, linear)
        q = bounded(log_p[out]) @ linear.W.T + linear.b
        losses[strength] = (weights[out] @ F.cross_entropy(q, labels[out], reduction="none")).item()
    return min(losses, key=lambda strength: losses[strength])
