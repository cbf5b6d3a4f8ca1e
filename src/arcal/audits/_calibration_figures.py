"""The figures of a calibration by name, for conditions on them."""

from collections.abc import Mapping, Sequence

from arcal.auditing import TARGETS, Choice, coverage_name
from arcal.calibration.posthoc import Today

OF_CANDIDATE = ("accuracy", "nll", "ece", "brier")
OF_TODAY = ("accuracy", "accuracy.low", "accuracy.high", "confidence", "T")


def calibration_figures(
    choice: Choice, estimates: Mapping[str, Today] | None = None
) -> dict[str, float]:
    """Figures of the classifier as it will be used, cross-validated.

    accuracy, nll, ece, brier: with the picked calibrator, or of the model if none is picked;
    change: the log-loss with the calibrator minus that without it, 0 if none is picked;
    coverage_at_90, _95, _99, _99.9: the share of inputs on which it may act alone, as in an audit;
    before.accuracy and so on: of the model as it is;
    unlabelled.accuracy, .confidence and .T: the estimates for inputs without labels, or
    unlabelled.NAME.accuracy and so on for a set with a name other than ""; answers have no T.
    The ends of an interval are NAME.low and NAME.high.
    """
    picked = choice.before if choice.picked is None else choice.candidates[choice.picked]
    flat = picked.change.named("change")
    for name in OF_CANDIDATE:
        flat |= getattr(picked, name).named(name)
        flat |= getattr(choice.before, name).named(f"before.{name}")
    flat |= choice.acting.coverages
    for name, today in (estimates or {}).items():
        values = [today.accuracy, today.low, today.high, today.confidence]
        if not choice.answers:
            values.append(today.T)
        flat |= dict(zip(_estimated(name, choice.answers), values, strict=True))
    return flat


def calibration_figure_names(*, unlabelled: Sequence[str], answers: bool = False) -> set[str]:
    """The names of all figures that a calibration can have, before it runs.

    `unlabelled` are the names of the sets of unlabelled inputs, [""] for a single one.
    """
    estimates = [*OF_CANDIDATE, *(f"before.{name}" for name in OF_CANDIDATE), "change"]
    names = {f"{name}{end}" for name in estimates for end in ("", ".low", ".high")}
    names |= {*map(coverage_name, TARGETS)}
    return names | {figure for name in unlabelled for figure in _estimated(name, answers)}


def _estimated(name: str, answers: bool) -> list[str]:
    """The names of the figures of a set of unlabelled inputs."""
    group = f"unlabelled.{name}" if name else "unlabelled"
    return [f"{group}.{figure}" for figure in (OF_TODAY[:-1] if answers else OF_TODAY)]
