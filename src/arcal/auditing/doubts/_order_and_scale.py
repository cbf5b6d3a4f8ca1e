"""Suspicions: classes in another order, an accuracy near chance, inputs on another scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from scipy.special import bdtrc
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from arcal.attacks import Bounds, Inputs, InputsLike, Model, frozen
from arcal.attacks.norms import are_images
from arcal.auditing._caveat import Option

FEWEST = 30
"""There is no warning with fewer inputs: a good model of two classes could look the same."""
SIGNIFICANCE = 1e-3
HIGH = 2 / 3
"""At least this share must be right in another order before that order is suspected."""
NAMED = 3
"""The most classes that the sentence names."""


OF_A_CHANNEL = 30
"""There is no warning with fewer numbers per channel."""

FACTOR = 3.0


class _Met(BaseException):
    """Raised at the first batch norm, so that the rest of the model does not run."""

    def __init__(self, layer: _BatchNorm, x: Tensor):
        self.layer, self.x = layer, x


def suspect_scale(
    model: Model,
    x: InputsLike,
    option: Option | None = None,
    *,
    bounds: Bounds = (0.0, 1.0),
) -> str | None:
    """A sentence if a model's first batch norm sees another scale than in training, or None.

    `x` is a batch of inputs of any kind. In training, batch norm recorded the variance of each
    channel. The standard deviations of the channels in this batch are divided by the recorded ones,
    and a median ratio below 1/3 or above 3 is suspicious. The usual normalisation divides by
    deviations of 0.2 to 0.27, so leaving it out or doing it twice is a factor of 4 to 5. The
    sentence names the command-line `option` that could fix it, if one is given. If there is no
    trained batch norm, images that range from 0 to more than 2 are suspected to be pixels of 0 to
    255, unless `bounds` other than [0, 1] are given. There is no warning for other inputs, or with
    fewer than 30 numbers per channel.

    >>> layer = nn.BatchNorm1d(1, momentum=None)
    >>> _ = layer(torch.linspace(-2, 2, 100)[:, None]), layer.eval()
    >>> suspect_scale(layer, torch.linspace(-0.5, 0.5, 100)[:, None])
    'the first batch norm sees 0.25 times the deviation that it saw in training: wrong \
normalisation?'
    """
    met = _first_batch_norm(model, x)
    if met is None:
        inputs = Inputs.of(x)
        return None if inputs.perturbed is None else _suspect_pixels(inputs.x, bounds)
    layer, values = met.layer, met.x.transpose(0, 1).flatten(1).cpu().double()
    if values.shape[1] < OF_A_CHANNEL or not values.isfinite().all():
        return None
    assert layer.running_var is not None
    ratios = (values.var(dim=1) + layer.eps) / (layer.running_var.cpu().double() + layer.eps)
    ratio = float(ratios.log().median().exp().sqrt())
    if 1 / FACTOR <= ratio <= FACTOR:
        return None
    return (
        f"the first batch norm sees {ratio:.2g} times the deviation that it saw in training: "
        f"wrong normalisation{'' if option is None else f', see {option}'}?"
    )


def _suspect_pixels(x: Tensor, bounds: Bounds) -> str | None:
    given = bounds is None or isinstance(bounds[1], Tensor) or bounds[1] != 1
    if given or not are_images(x) or x.min() < 0 or x.max() <= 2:
        return None
    return (
        f"the images reach up to {x.max():.4g}: if the model was trained on pixels in [0, 1], "
        "divide them by 255"
    )


@torch.no_grad()
def _first_batch_norm(model: Model, x: InputsLike) -> _Met | None:
    """The first batch norm in the forward pass, and its input; None if it was never trained."""

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


def suspect_inputs(accuracy: float, Z: int, N: int, option: Option | None = None) -> str | None:
    """A sentence if the accuracy on N inputs of Z classes is not clearly above 1/Z, else None.

    "Clearly" means that guessing each class with probability 1/Z would be right at least as often
    in less than one case in a thousand (binomial, one-sided). A model whose classes are in another
    order has such a low accuracy, or a lower one. The sentence names the command-line `option` that
    could fix it, if one is given. It takes at least 30 inputs. Classes of unequal size
    are not allowed for: always naming the largest is then better than 1/Z.

    >>> suspect_inputs(0.102, Z=10, N=1000)
    'the model is right on 10.2 % of 1,000 inputs, not clearly more than chance (10 %): wrong \
labels, class order or normalisation, or too little training?'
    >>> suspect_inputs(0.6, Z=10, N=1000) is None
    True
    """
    right = round(accuracy * N)
    if N < FEWEST or bdtrc(right - 1, N, 1 / Z) < SIGNIFICANCE:
        return None
    return (
        f"the model is right on {100 * accuracy:.3g} % of {N:,} inputs, not clearly more than "
        f"chance ({100 / Z:.3g} %): wrong labels, class order or normalisation"
        f"{'' if option is None else f' ({option})'}, or too little training?"
    )


@dataclass(frozen=True)
class SuspectedOrder:
    """Why the model's classes are suspected to be in another order, and in which.

    `order[z]` is the data's class that the model's class z seems to be; `order` is None if not all
    classes are known. Made by `suspect_order`.
    """

    sentence: str
    order: tuple[int, ...] | None


def suspect_order(
    predicted: Tensor, labels: Tensor, classes: Sequence[str]
) -> SuspectedOrder | None:
    """A suspicion that a model's classes are in another order than the data's, or None.

    `predicted` and `labels` are int64 `(N,)` in [0, Z), `classes` the data's Z names. There are two
    cases.

    - The whole order: a one-to-one map from predicted classes to labels is found on each half of
      the inputs and applied to the other half. It makes at least two thirds of the inputs right,
      and at least twice as many as without it. If predictions said nothing about the labels, so
      many would be right in less than one case in a thousand.
    - A part of it: two or more classes are predicted as each other, in a cycle. More than half of
      the inputs predicted as each class have the label of the next, and two thirds of all inputs in
      the cycle do. If each did with a chance of one half, this many would in less than one case in
      1000 Z.

    Neither case applies to a model that is merely poor, always predicts one class, or guesses.
    It takes at least 30 inputs.

    >>> labels = torch.arange(300) % 3
    >>> suspect_order(2 - labels, labels, ["cat", "dog", "fox"])
    SuspectedOrder(sentence="the model's classes seem to be in a different order from the data's: \
what it calls cat is fox and fox is cat; in the data's order it would be right on 100 % of 300 \
inputs instead of 33.3 %", order=(2, 1, 0))
    >>> suspect_order(labels, labels, ["cat", "dog", "fox"]) is None
    True
    """
    N, Z = len(labels), len(classes)
    if N < FEWEST:
        return None
    right = int((predicted == labels).sum())
    order = _whole(predicted, labels, right) or _circles(predicted, labels, Z)
    moved = [z for z, label in sorted(order.items()) if label != z]
    if not moved:
        return None
    complete = [order.get(z, z) for z in range(Z)]
    mapped = int((torch.tensor(complete, device="cpu")[predicted] == labels).sum())
    named = [f"{classes[z]} is {classes[order[z]]}" for z in moved[:NAMED]]
    more = len(moved) - len(named)
    last = f"{more} more are misnamed" if more else named.pop()
    return SuspectedOrder(
        "the model's classes seem to be in a different order from the data's: what it calls "
        f"{', '.join(named)} and {last}; in the data's order it would be right on "
        f"{100 * mapped / N:.3g} % of {N:,} inputs instead of {100 * right / N:.3g} %",
        tuple(complete) if len(set(complete)) == Z else None,
    )


def _whole(predicted: Tensor, labels: Tensor, right: int) -> Mapping[int, int]:
    """The label of each predicted class if a different whole order makes most inputs right."""
    N = len(labels)
    shuffled = torch.randperm(N, generator=torch.Generator().manual_seed(0), device="cpu")
    halves = shuffled[: N // 2], shuffled[N // 2 :]
    mapped = 0
    for some, others in (halves, halves[::-1]):
        order = _one_to_one(predicted[some], labels[some])
        mapped_to = torch.full((int(predicted.max()) + 1,), -1, device="cpu")
        mapped_to[list(order)] = torch.tensor(list(order.values()), device="cpu")
        mapped += int((mapped_to[predicted[others]] == labels[others]).sum())
    largest = float(labels.bincount().max()) / N
    beyond_chance = bdtrc(mapped - 1, N, largest) < SIGNIFICANCE
    if mapped < HIGH * N or mapped < 2 * right or not beyond_chance:
        return {}
    return _one_to_one(predicted, labels)


def _one_to_one(predicted: Tensor, labels: Tensor) -> dict[int, int]:
    """A label for each predicted class: greedily the most frequent pairs, each label once."""
    pairs, counts = _pairs(predicted, labels)
    order: dict[int, int] = {}
    taken: set[int] = set()
    for guess, label in pairs[:, counts.argsort(descending=True, stable=True)].T.tolist():
        if guess not in order and label not in taken:
            order[guess] = label
            taken.add(label)
    return order


def _pairs(predicted: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct pairs int64 `(2, n)`, in ascending order, and how often each occurs."""
    Z = int(labels.max()) + 1
    codes, counts = (predicted * Z + labels).unique(return_counts=True)
    return torch.stack([codes // Z, codes % Z]), counts


def _circles(predicted: Tensor, labels: Tensor, Z: int) -> Mapping[int, int]:
    """The label of each class that is predicted as another one in a cycle."""
    pairs, counts = _pairs(predicted, labels)
    totals = predicted.bincount(minlength=Z)
    most = 2 * counts > totals[pairs[0]]
    following = dict(zip(*pairs[:, most].tolist(), strict=True))
    hits = dict(zip(pairs[0, most].tolist(), counts[most].tolist(), strict=True))
    order: dict[int, int] = {}
    for start in following:
        circle = [start]
        while (after := following.get(circle[-1])) is not None and after not in circle:
            circle.append(after)
        if after != start or len(circle) == 1:
            continue
        mapped = sum(hits[z] for z in circle)
        total = sum(int(totals[z]) for z in circle)
        if mapped >= HIGH * total and bdtrc(mapped - 1, total, 0.5) < SIGNIFICANCE / Z:
            order |= {z: following[z] for z in circle}
    return order
