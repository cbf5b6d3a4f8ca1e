"""Inputs on another scale than in training: the first batch norm remembers the one it met."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from arcal.attacks import Inputs, InputsLike, Model, frozen

FEWEST = 30
"""Numbers a channel below which nothing is said."""

FACTOR = 3.0


class _Met(BaseException):
    """The first batch norm was met; what comes after it need not run."""

    def __init__(self, layer: _BatchNorm, x: Tensor):
        self.layer, self.x = layer, x


def suspect_scale(model: Model, x: InputsLike) -> str | None:
    """A sentence if a model's first batch norm meets another scale than in training, or None.

    `x` is a batch of inputs of any kind. In training batch norm kept the mean and variance of each
    channel; here the deviations of the same channels are held against them, and the median of their
    ratios is suspected if it is below 1/3 or above 3. To divide by the usual deviations, 0.2 to
    0.27, is a factor of 4 to 5, left out or done twice. Nothing is said of a model that is no
    module or has no batch norm that was trained, or of fewer than 30 numbers a channel.

    >>> layer = nn.BatchNorm1d(1, momentum=None)
    >>> _ = layer(torch.linspace(-2, 2, 100)[:, None]), layer.eval()
    >>> suspect_scale(layer, torch.linspace(-0.5, 0.5, 100)[:, None])
    'the first batch norm meets 0.25 times the deviation that it met in training: wrong \
normalisation?'
    """
    met = _first_batch_norm(model, x)
    if met is None:
        return None
    layer, values = met.layer, met.x.transpose(0, 1).flatten(1).double()
    if values.shape[1] < FEWEST or not values.isfinite().all():
        return None
    assert layer.running_var is not None
    ratios = (values.var(dim=1) + layer.eps) / (layer.running_var.double() + layer.eps)
    ratio = float(ratios.log().median().exp().sqrt())
    if 1 / FACTOR <= ratio <= FACTOR:
        return None
    return (
        f"the first batch norm meets {ratio:.2g} times the deviation that it met in training: "
        "wrong normalisation?"
    )


@torch.no_grad()
def _first_batch_norm(model: Model, x: InputsLike) -> _Met | None:
    """The first batch norm that inputs meet, and what it is given; None if it was never trained."""

    def stop(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, _BatchNorm)
        raise _Met(layer, given[0].detach())

    modules = model.modules() if isinstance(model, nn.Module) else ()
    layers = [one for one in modules if isinstance(one, _BatchNorm)]
    hooks = [layer.register_forward_pre_hook(stop) for layer in layers]
    try:
        if hooks:
            with frozen(model):
                model(Inputs.of(x).parts)
    except _Met as met:
        mean, var = met.layer.running_mean, met.layer.running_var
        known = mean is not None and var is not None and not ((mean == 0) & (var == 1)).all()
        return met if known else None
    finally:
        for hook in hooks:
            hook.remove()
    return None
