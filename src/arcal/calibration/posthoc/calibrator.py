"""What every post-hoc calibrator takes and returns."""

import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import chain
from typing import ClassVar, ParamSpec, TypeVar, cast

import torch
from torch import Tensor, nn

from arcal.arrays import TensorLike, as_tensor, leads_to_float64, row_blocks
from arcal.calibration.checks import check_log_probabilities
from arcal.errors import ArcalError

Given = ParamSpec("Given")
Fitted = TypeVar("Fitted")

FLOATING = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
"""The dtypes of fitted values; calculations with them are in float32 or float64."""
LOOKED_AT = 100
"""The first rows of a calibrator's result that are checked to be log-probabilities."""
ROUNDED = 1e-3
"""How far sums of rows may be from 1 before a fit warns, or a calibrator's result is refused."""


class Calibrator(nn.Module):
    """A fitted map from log-probabilities, and the energy if it needs it, to calibrated ones.

    It maps each row by itself, without labels. For an ensemble it takes the log of the averaged
    probabilities, as `average` gives it: the ensemble is calibrated, not its members.

    A subclass sets `kind`. Its constructor takes the fitted values under the names of the buffers
    that the base constructor makes of them, so that `kind` and `state_dict()` define a calibrator;
    numbers become float64. The map is `calibrate`, or `calibrate_by_energy` if the class sets
    `needs_energy`. It must return log-probabilities `(N, Z)`, or `ArcalError` is raised.

    >>> class Powered(Calibrator):
    ...     "log q = power log p + constant."
    ...     kind = "powered"
    ...     def __init__(self, power):
    ...         super().__init__(power=power)
    ...     def calibrate(self, log_p):
    ...         return (log_p * self.power).log_softmax(1)
    >>> Powered(0.5)
    Powered(power=0.5)
    >>> Powered(0.5)(torch.tensor([[0.9, 0.1]]).log()).exp()
    tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """

    kind: ClassVar[str]
    """Its name in `POSTHOC` and `CALIBRATORS`, and in a file that holds it."""

    needs_energy: ClassVar[bool] = False
    """Whether it needs the energy of the logits; then `calibrate_by_energy` is the map."""

    keeps_order: ClassVar[bool] = False
    """Whether no class overtakes another, so that predictions and accuracy stay as they are."""

    def __init__(self, **values: TensorLike | float):
        super().__init__()
        for name, value in values.items():
            given = isinstance(value, Tensor)
            tensor = value if given else torch.tensor(value, dtype=torch.float64, device="cpu")
            if tensor.untyped_storage().nbytes() > tensor.nbytes:  # else the whole storage is saved
                tensor = tensor.clone()
            self.register_buffer(name, tensor)

    def extra_repr(self) -> str:
        """The fitted values: numbers as they are, others by their shape."""
        return ", ".join(
            f"{name}={float(value):.4g}" if value.ndim == 0 else f"{name}={tuple(value.shape)}"
            for name, value in self.named_buffers()
        )

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of calculations and results: that of the fitted values, but at least float32.

        It is float64 as fitted, until the calibrator is moved by `.to(torch.float32)` or the like,
        or to a device without float64, such as Apple's GPUs, which makes it float32.
        """
        for value in chain(self.parameters(), self.buffers()):
            if value.is_floating_point():
                return torch.promote_types(value.dtype, torch.float32)
        return torch.float64

    def forward(self, log_p: TensorLike, *, energy: TensorLike | None = None) -> Tensor:
        """Calibrated log-probabilities `(N, Z)`, of `dtype`, from those of a classifier `(N, Z)`.

        `energy` `(N,)` is -log sum exp of the same inputs' logits. Gradients flow to `log_p`. Rows
        that do not sum to 1, nan, another device than the calibrator's, and energy that is needed
        but missing, or has a wrong length, raise `ArcalError`. Values are not checked in a compiled
        or exported program, where nan gives nan.
        """
        log_p = as_tensor(log_p, "log_p")
        if not torch.compiler.is_compiling():
            self._check_device(log_p)
            check_log_probabilities(log_p, "log_p")
        log_p = log_p.to(self.dtype).log_softmax(1)  # removes what float32 left in the sum
        if self.needs_energy:
            energy = as_energy(energy, log_p.shape[0], self.kind)
            calibrated = self.calibrate_by_energy(log_p, energy.to(log_p))
        else:
            calibrated = self.calibrate(log_p)
        if not torch.compiler.is_compiling():
            self._check_calibrated(calibrated, log_p)
        return calibrated

    def calibrate(self, log_p: Tensor) -> Tensor:
        """The map itself, of `log_p` `(N, Z)` in `dtype`, with probabilities that sum to 1."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it calibrates")

    def calibrate_by_energy(self, log_p: Tensor, energy: Tensor) -> Tensor:
        """The map of a kind that needs the `energy` `(N,)`, of the dtype of `log_p` `(N, Z)`."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it calibrates")

    def _apply(self, fn, recurse=True):
        """Become float32 on a device without float64, such as Apple's GPUs."""

        def there(tensor: Tensor) -> Tensor:
            stays = tensor.dtype != torch.float64 or leads_to_float64(fn, tensor.device)
            return fn(tensor if stays else tensor.float())

        return super()._apply(there, recurse)

    def _check_calibrated(self, calibrated: Tensor, log_p: Tensor) -> None:
        name = type(self).__name__
        if not isinstance(calibrated, Tensor) or calibrated.shape != log_p.shape:
            has = tuple(calibrated.shape) if isinstance(calibrated, Tensor) else type(calibrated)
            raise ArcalError(f"{name} returned {has} for log-probabilities {tuple(log_p.shape)}")
        some = calibrated[:LOOKED_AT].detach()
        if not ((some.exp().sum(dim=1) - 1).abs() <= ROUNDED).all():
            raise ArcalError(
                f"{name} did not return log-probabilities, since their exponentials do not "
                "sum to 1: end with .log_softmax(dim=1), or take the logarithm of probabilities"
            )

    def _check_device(self, log_p: Tensor) -> None:
        held = next(chain(self.parameters(), self.buffers()), log_p)
        if held.device != log_p.device:
            raise ArcalError(
                f"log_p is on {log_p.device} and the calibrator on {held.device}: move one of them"
            )


def with_gradients(fit: Callable[Given, Fitted]) -> Callable[Given, Fitted]:
    """Enable gradients in a fit, wherever it is called, even under `torch.no_grad`.

    >>> @with_gradients
    ... def fit(log_p):
    ...     return torch.is_grad_enabled(), log_p.is_inference()
    >>> with torch.inference_mode():
    ...     fit(torch.zeros(1, 2))
    (True, False)
    """

    @wraps(fit)
    def with_them(*args: Given.args, **named: Given.kwargs) -> Fitted:
        with torch.inference_mode(False), torch.enable_grad():
            values = [_usable(value) for value in args]
            more = {name: _usable(value) for name, value in named.items()}
            return cast(Callable[..., Fitted], fit)(*values, **more)

    return with_them


def _usable(value: object) -> object:
    """The value, or a copy of a tensor from inference mode, so that gradients can be taken."""
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value


def fitted(value: float | Sequence[float] | Tensor, name: str, ndim: int) -> Tensor:
    """A fitted value for a buffer: a copy, floating-point and finite, with `ndim` dimensions.

    A tensor keeps its dtype, numbers become float64. Anything else raises `ArcalError`.

    >>> fitted(2.5, "T", ndim=0)
    tensor(2.5000, dtype=torch.float64)
    """
    with torch.inference_mode(False):  # so that gradients can flow through the calibrator
        tensor = (
            value.detach().clone()
            if isinstance(value, Tensor)
            else torch.tensor(value, dtype=torch.float64, device="cpu")
        )
    if tensor.dtype not in FLOATING or tensor.ndim != ndim or not tensor.numel():
        raise ArcalError(
            f"{name} must be floating-point numbers of {ndim} dimensions, not {tensor.dtype} of "
            f"shape {tuple(tensor.shape)}: pass what was fitted"
        )
    if not tensor.isfinite().all():
        raise ArcalError(f"{name} holds nan or inf: pass what was fitted")
    return tensor


def divided(log_p: Tensor, T: Tensor) -> Tensor:
    """Log p / T + constant, for log-probabilities `(N, Z)` and temperatures `(N, 1)` above 0.

    An impossible class stays -inf, and adds no inf x 0 to the gradient of T.

    >>> divided(torch.tensor([[0.9, 0.1, 0.0]]).log(), torch.tensor([[2.0]])).exp()
    tensor([[0.7500, 0.2500, 0.0000]])
    """
    masked = log_p.isneginf()
    return (log_p.masked_fill(masked, 0) / T).masked_fill(masked, -torch.inf).log_softmax(1)


def as_energy(energy: TensorLike | None, N: int, kind: str) -> Tensor:
    """The energy `(N,)`, -log sum exp of the logits, checked for a method that needs it.

    >>> as_energy(None, 3, "ebs")
    Traceback (most recent call last):
    arcal.errors.ArcalError: ebs needs the energy of the logits of each input: pass energy=
    """
    if energy is None:
        raise ArcalError(f"{kind} needs the energy of the logits of each input: pass energy=")
    energy = as_tensor(energy, "energy")
    if torch.compiler.is_compiling():  # an exported program checks nothing
        return energy
    if energy.shape != (N,) or not energy.is_floating_point():
        raise ArcalError(
            f"energy must be {N} floating-point numbers, one per input, not {energy.dtype} of "
            f"shape {tuple(energy.shape)}: pass -logits.logsumexp(1)"
        )
    if not energy.isfinite().all():
        row = int((~energy.isfinite()).nonzero()[0])
        raise ArcalError(f"energy of input {row} is {energy[row]:g}: pass -logits.logsumexp(1)")
    return energy


def as_log_probabilities(log_p: TensorLike) -> Tensor:
    """Logarithms `(N, Z)` of rows that sum to 1, as float64; -inf is an impossible class.

    Rows are normalised. Sums that are off by more than `ROUNDED`, as if rounded, give a warning,
    unless the dtype explains them.
    """
    log_p = as_tensor(log_p, "log_p")
    coarse = torch.finfo(log_p.dtype).bits < 32 if log_p.is_floating_point() else False
    check_log_probabilities(log_p, "log_p")
    log_p = log_p.detach().cpu()
    N, Z = log_p.shape
    off = torch.empty(N, dtype=torch.float64, device="cpu")
    normal = torch.empty(N, Z, dtype=torch.float64, device="cpu")
    for some in row_blocks(N, Z):
        rows = log_p[some].double()
        off[some], normal[some] = (rows.exp().sum(1) - 1).abs(), rows.log_softmax(1)
    if not coarse and (off > ROUNDED).any():
        warnings.warn(
            f"{int((off > ROUNDED).sum())} of {len(off)} rows of probabilities do not sum to 1, by "
            f"up to {off.max():.2g}, as if they were rounded: each is divided by its sum",
            stacklevel=4,
        )
    return normal
