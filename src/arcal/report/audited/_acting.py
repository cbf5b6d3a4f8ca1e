"""The confidence from which a model may act alone, in words."""

from arcal.auditing import Acting, Audited, most_frequent
from arcal.report.audited._amounts import percent, sure
from arcal.report.names import listed, noun


def acts_above(model: Audited) -> str | None:
    """The confidence from which it is right more often than on all inputs; None if not shown.

    A share of right predictions that its most frequent class alone would reach is not named.
    """
    right, inputs = model.overall.accuracy.value, f"{noun(answers=model.predictions.answers)}s"
    if not model.predictions.answers and model.weights is None:
        right = max(right, most_frequent(model.predictions.labels))
    for target, one in model.acting.thresholds.items():
        if target > right and one is not None:
            return (
                f"right on at least {100 * target:g} % where it is {sure(one.confidence)}: "
                f"{percent(one.coverage)} of the {inputs}"
            )
    return None


def acts_alone(acting: Acting, right: float, *, answers: bool = False) -> str | None:
    """The same for each target above `right`, the accuracy on all inputs; None if none is above.

    >>> from arcal.auditing import acting, as_predictions
    >>> surer = as_predictions(logits=[[3.0, 0.0]] * 900 + [[1.0, 0.0]] * 100, labels=[0] * 1000)
    >>> acts_alone(acting(surer.scores), right=0.98)
    'right on at least 99 % where it is 73.2 % confident or more (100.0 % of the inputs); no \
confidence is shown to be high enough for 99.9 %'
    """
    shown, missing = [], []
    for target, one in acting.thresholds.items():
        if target > right and one is None:
            missing.append(f"{100 * target:g} %")
        elif target > right and one is not None:
            shown.append(
                f"on at least {100 * target:g} % where it is {sure(one.confidence)} "
                f"({percent(one.coverage)} of the {noun(answers=answers)}s)"
            )
    lines = [f"right {', '.join(shown)}"] if shown else []
    if missing:
        enough = "for" if shown else "to act alone and be right on"
        targets = listed(missing, last="or")
        lines.append(f"no confidence is shown to be high enough {enough} {targets}")
    return "; ".join(lines) or None
