"""Every post-hoc method by its name: how it is fitted, and its class."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.posthoc.batch_temperature import TemperatureByBatch, fit_by_batch
from arcal.calibration.posthoc.calibration_set import LogProbabilities, as_calibration_set
from arcal.calibration.posthoc.calibrator import Calibrator, as_energy
from arcal.calibration.posthoc.dirichlet import Dirichlet, fit_dirichlet
from arcal.calibration.posthoc.ebs import EnergyScaling, fit_ebs
from arcal.calibration.posthoc.ensemble_temperature import (
    EnsembleTemperature,
    fit_ensemble_temperature,
)
from arcal.calibration.posthoc.isotonic import (
    MultiClassIsotonic,
    OneVsAllIsotonic,
    fit_irm,
    fit_irova_ts,
)
from arcal.calibration.posthoc.pts import ParameterizedTemperature, fit_pts
from arcal.calibration.posthoc.smart import Smart, fit_smart
from arcal.calibration.posthoc.spline import Spline, fit_spline
from arcal.calibration.posthoc.temperature import Temperature, fit_temperature
from arcal.calibration.posthoc.vector_scaling import VectorScaling, fit_vector
from arcal.errors import ArcalError, a_type


class Fit(Protocol):
    """Fits a calibrator to log-probabilities `(N, Z)` and labels `(N,)`, or a `CalibrationSet`.

    Methods that need the energy of the logits `(N,)` take it; the others ignore it. `weights`
    `(N,)` say how much each input counts.
    """

    def __call__(
        self,
        log_p: LogProbabilities,
        labels: TensorLike,
        /,
        *,
        energy: TensorLike | None = None,
        weights: TensorLike | None = None,
    ) -> Calibrator: ...


_EVERY: tuple[tuple[type[Calibrator], Callable[..., Calibrator]], ...] = (
    (Temperature, fit_temperature),
    (EnsembleTemperature, fit_ensemble_temperature),
    (MultiClassIsotonic, fit_irm),
    (OneVsAllIsotonic, fit_irova_ts),
    (VectorScaling, fit_vector),
    (Dirichlet, fit_dirichlet),
    (Smart, fit_smart),
    (EnergyScaling, fit_ebs),
    (ParameterizedTemperature, fit_pts),
    (Spline, fit_spline),
)


def _as_fit(kind: type[Calibrator], fit: Callable[..., Calibrator]) -> Fit:
    """A fit with the common signature; methods that do not need the energy do not get it."""
    if kind.needs_energy:
        return fit
    return lambda log_p, labels, /, *, energy=None, weights=None: fit(
        log_p, labels, weights=weights
    )


POSTHOC: dict[str, Fit] = {kind.kind: _as_fit(kind, fit) for kind, fit in _EVERY}
"""The function that fits each method, by its name."""

EVALUATED: dict[str, Fit] = {
    **POSTHOC,
    TemperatureByBatch.kind: _as_fit(TemperatureByBatch, fit_by_batch),
}
"""`POSTHOC`, and a method that can be evaluated but not put into a model: it sees a batch."""

CALIBRATORS: dict[str, type[Calibrator]] = {kind.kind: kind for kind, _ in _EVERY}
"""The class that each method fits, by the same name."""


_OWN = frozenset(EVALUATED)


def register(calibrator: type[Calibrator], fit: Callable[..., Calibrator]) -> None:
    """Register a calibrator of your own under its `kind`, until this process ends.

    Then `arcal.calibrate(..., calibrators=[kind])` compares it with the others, and it can be saved
    and loaded. `fit` is called with log-probabilities float64 `(N, Z)` and labels int64 `(N,)`, and
    with `energy=` `(N,)` if the class sets `needs_energy`. If inputs are weighted it also gets
    `weights=` `(N,)`, and inputs of weight 0 are left out. Set `keeps_order` only for a class that
    never changes a prediction. A built-in kind raises `ArcalError`.

    >>> import torch
    >>> class Flattened(Calibrator):
    ...     "A share of each prediction is spread over all classes."
    ...     kind = "flattened"
    ...     def __init__(self, share):
    ...         super().__init__(share=share)
    ...     def calibrate(self, log_p):
    ...         return (log_p.exp() * (1 - self.share) + self.share / log_p.shape[1]).log()
    >>> def fit_flattened(log_p, labels):
    ...     return Flattened(2 * (log_p.argmax(1) != labels).double().mean())
    >>> register(Flattened, fit_flattened)
    >>> fitted = POSTHOC["flattened"](torch.tensor([[0.9, 0.1]] * 4).log(), [0, 0, 0, 1])
    >>> fitted(torch.tensor([[0.9, 0.1]]).log()).exp()
    tensor([[0.7000, 0.3000]], dtype=torch.float64)
    >>> del POSTHOC["flattened"], EVALUATED["flattened"], CALIBRATORS["flattened"]
    """
    kind = getattr(calibrator, "kind", None)
    if not isinstance(calibrator, type) or not isinstance(kind, str):
        raise ArcalError(f"{calibrator} is not a class with a kind: set one, such as kind = 'mine'")
    if kind in _OWN:
        raise ArcalError(f"arcal has its own calibrator {kind!r}: choose another kind")

    def fits(
        log_p: LogProbabilities,
        labels: TensorLike,
        /,
        *,
        energy: TensorLike | None = None,
        weights: TensorLike | None = None,
    ) -> Calibrator:
        given = as_calibration_set(log_p, labels, weights)
        more: dict[str, Any] = {"weights": given.weights} if given.weighted else {}
        if given.weighted and "weights" not in inspect.signature(fit).parameters:
            raise ArcalError(f"{fit.__qualname__} takes no weights, and the inputs are weighted")
        if calibrator.needs_energy:
            more["energy"] = as_energy(energy, given.inputs, kind)[given.counted]
        fitted = fit(given.log_p, given.labels, **more)
        if type(fitted) is not calibrator:
            raise ArcalError(
                f"{fit.__qualname__} returned {a_type(fitted)}: return a {calibrator.__name__}"
            )
        return fitted

    POSTHOC[kind] = EVALUATED[kind] = fits
    CALIBRATORS[kind] = calibrator


def check_posthoc(name: str, known: Mapping[str, object] = POSTHOC) -> None:
    """Refuse a name that is not one of `POSTHOC`, or of those `known`.

    >>> check_posthoc("irm")
    """
    if name not in known:
        raise ArcalError(
            f"calibrator {name!r} is unknown: choose from {', '.join(known)}{also_called(name)}"
        )


OTHERWISE = {
    "isotonic": "irm and irova-ts are isotonic regression",
    "platt": "of two classes vector is beta calibration, of which Platt's is a case",
    "beta": "of two classes vector is beta calibration",
    "matrix": "dirichlet is matrix scaling of log-probabilities",
}
"""Other names of calibrators, or of methods close to them."""


def also_called(name: str) -> str:
    """What an error message adds on a name that others use.

    >>> also_called("Isotonic"), also_called("magic")
    ('; irm and irova-ts are isotonic regression', '')
    """
    known = next((said for word, said in OTHERWISE.items() if word in name.lower()), None)
    return "" if known is None else f"; {known}"


def from_state(kind: str, state: Mapping[str, Tensor]) -> Calibrator:
    """The calibrator of this kind with this `state_dict()`, of the state's dtypes.

    An unknown kind, tensors missing or left over, and values that cannot have been fitted raise
    `ArcalError`.

    >>> from_state("temperature", Temperature(2.5).state_dict())
    Temperature(T=2.5)
    """
    if kind not in CALIBRATORS:
        known = ", ".join(CALIBRATORS)
        raise ArcalError(f"a calibrator of kind {kind!r} is unknown: those known are {known}")
    names = set(inspect.signature(CALIBRATORS[kind]).parameters)
    if names != set(state):
        raise ArcalError(
            f"a calibrator of kind {kind!r} is made of {', '.join(sorted(names))}, not of "
            f"{', '.join(sorted(state)) or 'nothing'}"
        )
    return CALIBRATORS[kind](**state)
