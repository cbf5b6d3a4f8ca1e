"""Checks that a model returns finite logits, the same for an input whatever is beside it."""

import torch
from torch import Tensor

from arcal.arrays import check_has_values
from arcal.attacks.inputs import Model, rows
from arcal.attacks.model import difference, extent, module_of
from arcal.errors import ArcalError, first_line
from arcal.logits import are_probabilities


def checked_logits(model: Model, x: Tensor, *, differentiable: bool = False) -> Tensor:
    """Logits `(N, Z)`; other output raises `ArcalError`, with one line that says why.

    A class that the model masks may have -inf, as long as two classes do not. Logits have a
    gradient to `x` only if they are to be `differentiable`.
    """
    try:
        with torch.set_grad_enabled(differentiable):
            logits = model(x.clone())
    except RuntimeError as error:
        if apart := on_other_devices(model, x.device, error):
            raise ArcalError(apart) from error
        weights = module_of(model).parameters()
        dtypes = sorted({str(weight.dtype) for weight in weights if weight.is_floating_point()})
        if not dtypes or str(x.dtype) in dtypes:
            raise
        raise ArcalError(
            f"the inputs are {x.dtype} and the model's weights {' and '.join(dtypes)}: convert "
            "the model to the inputs' dtype, or the inputs, by `.to(dtype)`"
        ) from error
    if isinstance(logits, Tensor):
        check_has_values(logits, "what the model returns")
    if isinstance(logits, Tensor) and logits.device != x.device:
        raise ArcalError(
            f"the model returns logits on {logits.device} for inputs on {x.device}: pass inputs on "
            f"{logits.device}"
        )
    if isinstance(logits, Tensor) and logits.ndim == 2 and (masked := logits.isneginf()).any():
        if ((~masked).sum(dim=1) < 2).any():
            raise ArcalError(
                "the model gives all classes but one -inf, as the logarithm of a rounded softmax "
                "does: there is no class to change to; take `log_softmax` of the logits"
            )
        logits = logits.masked_fill(masked, logits[~masked].min())
        check_logits(logits, len(x), x.dtype)
        return logits.masked_fill(masked, -torch.inf)
    check_logits(logits, len(x), x.dtype)
    return logits


def logits_of_one(model: Model, x: Tensor) -> Tensor:
    """Logits `(1, Z)` of one input `x` `(...)`; `ArcalError` says in one line why there are none.

    >>> logits_of_one(torch.nn.Flatten(), torch.zeros(2, 3))
    tensor([[0., 0., 0., 0., 0., 0.]])
    >>> logits_of_one(torch.nn.Linear(3, 2), torch.zeros(5, 3))
    Traceback (most recent call last):
    arcal.errors.ArcalError: x (5, 3) is a batch of 5 inputs: give one of them, such as x[0], or ...
    """
    try:
        return checked_logits(model, x.unsqueeze(0))
    except (ArcalError, RuntimeError) as error:
        shape = tuple(x.shape)
        if _is_a_batch(model, x):
            raise ArcalError(
                f"x {shape} is a batch of {len(x)} inputs: give one of them, such as x[0], or "
                "score them all with arcal.score"
            ) from error
        if isinstance(error, ArcalError):
            raise
        raise ArcalError(
            f"the model fails on one input of shape {shape} ({first_line(error)}): give x in "
            "the shape that the model takes, without a batch dimension"
        ) from error


def _is_a_batch(model: Model, x: Tensor) -> bool:
    try:
        return x.ndim > 1 and len(checked_logits(model, x)) == len(x)
    except (ArcalError, RuntimeError):
        return False


def on_other_devices(
    model: Model, device: torch.device, error: BaseException, more: str = ""
) -> str | None:
    """A message if none of the model's weights are on the inputs' device, otherwise None.

    A model may move its inputs itself and fail for another reason, so the message includes `error`.
    It ends in `more`, except for weights on the device meta, which have no values yet.

    >>> linear = torch.nn.Linear(2, 2, device="meta")
    >>> print(on_other_devices(linear, torch.device("cpu"), RuntimeError("no")))
    the model fails (no): it has weights on the device meta, which holds no values: load them
    """
    devices = {weight.device for weight in module_of(model).parameters()}
    fails = f"the model fails ({first_line(error)})"
    if torch.device("meta") in devices:
        return f"{fails}: it has weights on the device meta, which holds no values: load them"
    if not devices or device in devices:
        return None
    return (
        f"{fails}: the inputs are on {device} and the model's weights on "
        f"{' and '.join(sorted(map(str, devices)))}: move one of them to the other's device{more}"
    )


@torch.no_grad()
def check_steady(model: Model, x: Tensor, logits: Tensor) -> None:
    """Refuse a model that gives inputs `(N, ...)` other logits when only some of them are run.

    Such a model draws at random, or mixes rows. At most 8 inputs, and at most half of them, are run
    again.
    """
    some = slice(max(1, min(8, len(x) // 2)))
    n, remedy = len(logits[some]), "switch off what is drawn at random, such as dropout"
    if len(x) > 1:
        remedy += ", and give batch norm running statistics, and a dynamically quantised model "
        remedy += "batches of one"
    try:
        again = rows(model, some)(x[some].clone())
    except Exception as error:
        raise ArcalError(
            f"the model takes {len(x)} inputs and fails on {n} of them ({first_line(error)}): it "
            "must take each input as if it were alone"
        ) from error
    allowed = rounding_between_calls(logits, coarsest(model, x, logits))
    apart = float(difference(again, logits[some]).max())
    if not apart <= allowed:
        raise ArcalError(
            f"two calls with the same inputs give logits that differ by {apart:.2g}, where "
            f"{allowed:.2g} is rounding, so no distance or rank would be right: {remedy}"
        )


def rounding_between_calls(logits: Tensor, e: float) -> float:
    """How far logits `(N, Z)` of the same inputs may differ by rounding alone.

    Kernels sum in another order at another batch size. With `e` the precision of the coarsest dtype
    among weights, inputs and logits, the limit is `sqrt(e)`, half of the digits, of the widest
    spread of a row's logits, or `10 e` of the largest logit if that is more. It is one number for
    the whole batch, because a row whose classes tie has no spread but is rounded all the same.
    """
    spread, largest = extent(logits)
    return max(e**0.5 * float(spread.max()), 10 * e * float(largest.max()))


def coarsest(model: Model, *tensors: Tensor) -> float:
    """The precision of the coarsest floating dtype among the model's weights and tensors."""
    every = (*module_of(model).parameters(), *tensors)
    return max(torch.finfo(one.dtype).eps for one in every if one.is_floating_point())


def check_logits(logits: Tensor, N: int, dtype: torch.dtype | None) -> None:
    """Raise unless a model's output for N inputs is logits `(N, Z)`, of the `dtype` if given."""
    if not isinstance(logits, Tensor):
        raise ArcalError(
            f"the model returns {type(logits).__name__}, not a tensor of logits: "
            "`arcal.auditing.as_model` takes them out"
        )
    check_has_values(logits, "what the model returns")
    if logits.ndim != 2 or len(logits) != N or logits.shape[1] < 2:
        one = "; `arcal.auditing.as_model` makes two of one logit"
        one *= logits.shape in ((N,), (N, 1))
        raise ArcalError(
            f"the model returns shape {tuple(logits.shape)} for {N} input{'s' * (N != 1)}: logits "
            f"(N, Z) of at least 2 classes are needed{one}"
        )
    if dtype not in (None, logits.dtype):
        raise ArcalError(
            f"the model returns {logits.dtype} for {dtype} inputs: both must be the same; let it "
            f"return `logits.to({dtype})`"
        )
    if not (good := torch.isfinite(logits).all(dim=1)).all():
        wrong = (~good).nonzero().squeeze(1)
        raise ArcalError(
            f"the model returns logits that are not finite for {len(wrong)} of a batch of {N} "
            f"inputs, first in its row {int(wrong[0])}: check these; take `log_softmax` of "
            "logits, and where there are none clip probabilities to 1e-7 before their logarithm"
        )
    if are_probabilities(logits):
        raise ArcalError(
            "the model returns probabilities: give logits, without the softmax, or the logarithm"
        )


PLENTY = 8
"""With fewer rows, outputs in [0, 1] may be chance."""


def refuse_sigmoid(logits: Tensor) -> None:
    """Refuse logits (0, z) of a single output z that lies in [0, 1] for all of 8 rows or more.

    >>> refuse_sigmoid(torch.tensor([[0.0, 0.5]] * 8))
    Traceback (most recent call last):
    arcal.errors.ArcalError: the model's one output lies in [0, 1] for all inputs, as a sigmoid's...
    """
    one_output = logits.shape[1] == 2 and bool((logits[:, 0] == 0).all())
    inside = ((logits[:, 1] >= 0) & (logits[:, 1] <= 1)).all()
    if one_output and inside and len(logits) >= PLENTY:
        raise ArcalError(
            "the model's one output lies in [0, 1] for all inputs, as a sigmoid's does: return the "
            "logit before it; if it is a logit, return both classes' as (-z / 2, z / 2)"
        )
