"""A temperature for each input from a small network: what SMART and PTS share."""

import math
from collections.abc import Callable, Sequence
from inspect import unwrap
from itertools import pairwise

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.posthoc.calibration_set import LogProbabilities, as_calibration_set
from arcal.calibration.posthoc.calibrator import (
    Calibrator,
    divided,
    fitted,
    with_gradients,
)

PRIOR = 1.0
"""The factor of half the squared weights next to the sum of the NLL: a normal prior."""
STEPS = 50
LEAST = 0.05
"""Every temperature is at least this share of softplus(b), b the output's bias: none is 0."""


class TemperatureNetwork(Calibrator):
    """log q = log p / T(features) + constant, with T the `temperatures` of standardised features.

    Each row is divided by a positive number, so predictions and accuracy stay as they are. Buffers
    are `mean` and `scale` `(F,)`, and `weight_i` and `bias_i` of each layer.
    """

    keeps_order = True
    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor, *layers: tuple[Tensor, Tensor]):
        super().__init__(mean=fitted(mean, "mean", ndim=1), scale=fitted(scale, "scale", ndim=1))
        self.depth: int = len(layers)
        for i, (weight, bias) in enumerate(layers, start=1):
            self.register_buffer(f"weight_{i}", fitted(weight, f"weight_{i}", ndim=2))
            self.register_buffer(f"bias_{i}", fitted(bias, f"bias_{i}", ndim=1))

    def divided(self, log_p: Tensor, features: Tensor) -> Tensor:
        """The map itself, given the features `(N, F)`."""
        features = (features - self.mean.to(log_p)) / self.scale.to(log_p)
        layers = [
            (self.get_buffer(f"weight_{i}").to(log_p), self.get_buffer(f"bias_{i}").to(log_p))
            for i in range(1, self.depth + 1)
        ]
        return divided(log_p, temperatures(features, layers))

    def extra_repr(self) -> str:
        return f"hidden={len(self.get_buffer('bias_1'))}"


def temperatures(features: Tensor, layers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """T `(N, 1)` from a tanh network h of `features` `(N, F)` with mean 0 and deviation 1.

        T = softplus(h(features)) + LEAST softplus(b),   b the bias of the output

    `layers` are weights `(out, in)` and biases `(out,)`, the last with one output.

    >>> zero = torch.zeros(1, 2), torch.tensor([0.5413])
    >>> temperatures(torch.ones(3, 2), [zero])[:, 0]
    tensor([1.0500, 1.0500, 1.0500])
    """
    for weight, bias in layers[:-1]:
        features = _affine(features, weight, bias).tanh()
    weight, bias = layers[-1]
    return softplus(_affine(features, weight, bias)) + LEAST * softplus(bias)


def _affine(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`features @ weight.T + bias`, with the same bits wherever the features lie in memory.

    The order of the sums in a matrix product depends on the alignment of its operands.
    """
    columns = zip(features.unsqueeze(2).unbind(1), weight.unbind(1), strict=True)
    return sum((column * w for column, w in columns), start=bias)


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x), from operations that onnxruntime has for float64.

    >>> softplus(torch.zeros(1))
    tensor([0.6931])
    """
    return torch.logaddexp(x, torch.zeros_like(x))


class _LBFGS(torch.optim.LBFGS):
    """torch's L-BFGS, without the wrappers that spend seconds on keeping its compiler away."""

    add_param_group = unwrap(torch.optim.LBFGS.add_param_group)
    zero_grad = unwrap(torch.optim.LBFGS.zero_grad)


@with_gradients
def fit_network(
    log_p: LogProbabilities,
    labels: TensorLike,
    weights: TensorLike | None,
    features_of: Callable[[Tensor], Tensor],
    widths: Sequence[int],
) -> list[Tensor]:
    """Fit the network by at most `STEPS` of L-BFGS, from one temperature for all inputs.

    The objective is the mean log-loss plus `PRIOR` / 2N times the sum of squared weights.
    `features_of` computes features `(N, F)` from log-probabilities `(N, Z)`; `widths` are those of
    the hidden layers. Returns the features' mean and scale `(F,)`, the scale 1 for a constant
    feature, and each layer's weights and biases. The initial weights are drawn with a fixed seed,
    so equal inputs give equal networks. Errors are those of `fit_temperature`.
    """
    given = as_calibration_set(log_p, labels, weights)
    T, features = given.T, features_of(given.finite[0])
    mean, scale = given.mean(features), given.deviation(features)
    scale = torch.where(scale > 1e-9, scale, 1)
    features = (features - mean) / scale
    generator = torch.Generator().manual_seed(0)
    sizes = [features.shape[1], *widths]
    layers: list[tuple[Tensor, Tensor]] = []
    for inputs, outputs in pairwise(sizes):
        drawn = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64, device="cpu")
        bias = torch.randn(outputs, generator=generator, dtype=torch.float64, device="cpu")
        layers.append((drawn / math.sqrt(inputs), bias))
    least = T / (1 + LEAST)
    start = least + math.log(-math.expm1(-least))  # (1 + LEAST) softplus(start) = T
    last = torch.zeros(1, sizes[-1], dtype=torch.float64, device="cpu")
    layers.append((last, torch.tensor([start], dtype=torch.float64, device="cpu")))
    parameters = [tensor.requires_grad_() for layer in layers for tensor in layer]
    optimizer = _LBFGS(
        parameters,
        max_iter=STEPS,
        tolerance_grad=1e-6,
        tolerance_change=1e-7,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = given.mean(given.tempered.log_loss(temperatures(features, layers)[:, 0]))
        loss = loss + PRIOR / 2 * sum(w.square().sum() for w, _ in layers) / given.n
        loss.backward()
        return loss

    optimizer.step(closure)
    return [mean, scale, *(tensor.detach() for tensor in parameters)]
