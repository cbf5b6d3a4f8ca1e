"""The page's payload: the findings, every input, and the pictures of inputs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import places_of
from arcal.auditing import Audited, Predictions, calibrated_blocks
from arcal.calibration.bins import bin_of
from arcal.calibration.checks import as_weights
from arcal.calibration.clusters import as_clusters
from arcal.calibration.resampled import BINS
from arcal.data import Part, as_input
from arcal.report.explorer import column
from arcal.report.images import make_sheets, perturbation_sheets

LISTED = 50_000
"""The most inputs that a page lists; each takes some 130 bytes per model, plus its picture."""
WORST = 100
"""The number of most suspect, and of most fragile, inputs that are always listed."""
TOP = 5
"""The number of classes per input whose probabilities the page has."""
PERTURBED = 500
"""The most images, the least robust ones, whose perturbations the page shows."""
MOST_VALUES = 2_000_000
"""The most numbers of a table, or of its perturbed rows, that the page holds."""
MOST_SHIFTED = 2_000_000
"""The most predictions on corrupted inputs, over all corruptions, that the page holds."""
BATCH = 500
EXACT = 2**53
"""JavaScript represents whole numbers exactly up to this; larger ids are shown as names."""


@dataclass(frozen=True, eq=False)
class Shown:
    """N inputs by their `ids` int64 `(N,)`, as images, texts or rows of numbers.

    `part` has the images, `texts` the texts, and `read`, given positions `(B,)`, returns rows
    `(B, C)` of these `columns`; the others are None. `parts` has the images for each model, if
    models take other sizes than the first, whose images are in `part`.
    """

    ids: Tensor
    part: Part | None = None
    texts: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    read: Callable[[Tensor], Any] | None = None
    parts: Sequence[Part | None] = ()


def payload(
    findings: Mapping[str, Any], models: Sequence[Audited], shown: Shown | None = None
) -> dict[str, Any]:
    """`findings`, as in `audit.json`, with all inputs, or a sample if there are too many.

    Without `shown` it has no picture, text or row of any input.
    """
    first = models[0]
    rows = _listed_inputs(models)
    ids = first.predictions.ids[rows]
    shown = Shown(ids) if shown is None else shown
    places, part = places_of(ids, shown.ids), shown.part
    images = None
    if part is not None:
        images = make_sheets(map(part.images, places.split(BATCH)), len(places))
    table = _table(shown, places)
    largest = int(ids.abs().max())
    names = None if first.names is None else [first.names[i] for i in rows.tolist()]
    if names is None and largest > EXACT:
        names = list(map(str, ids.tolist()))
    return {
        **findings,
        "listed": _in_words(len(rows), models),
        "inputs": {
            "id": column(ids, "int32" if largest < 2**31 else "float64"),
            "label": column(_labels(first)[rows], "int32"),
            "name": names,
            "weight": None if first.weights is None else column(first.weights[rows], "float32"),
            "clusters": _clusters(models, rows),
            "groupings": [
                {"groups": list(one.groups), "number": column(one.number[rows], "int16")}
                for one in first.groupings
            ],
        },
        "models": [
            {**one, **_model(model, rows, own, table is not None, one["shift"])}
            for one, model, own in zip(
                findings["models"], models, shown.parts or [part] * len(models), strict=True
            )
        ],
        "images": images,
        "texts": None if shown.texts is None else [shown.texts[i] for i in places.tolist()],
        "table": table,
    }


def _clusters(models: Sequence[Audited], rows: Tensor) -> dict[str, Any] | None:
    """The cluster of each input, and how much errors come together: the most of any model."""
    if (by := models[0].clusters) is None:
        return None
    w = as_weights(models[0].weights, len(by.number))
    said = (model.predictions for model in models)
    fits = (as_clusters(by.number, one.confidence, one.correct, w) for one in said)
    alike = max((one.alike for one in fits if one is not None), default=0.0)
    return {"number": column(by.number[rows], "int32"), "alike": alike}


def _table(shown: Shown, places: Tensor) -> dict[str, Any] | None:
    """The inputs as rows of numbers; None for other inputs, or too many for the page."""
    if shown.columns is None or len(places) * len(shown.columns) > MOST_VALUES:
        return None
    assert shown.read is not None
    return {"columns": list(shown.columns), "values": column(shown.read(places), "float32")}


def _model(
    model: Audited, rows: Tensor, part: Part | None, table: bool, shift: Sequence[Any]
) -> dict[str, Any]:
    places = places_of(model.predictions.ids[rows], torch.from_numpy(model.inputs["id"]))
    values = {name: values[places.numpy()] for name, values in model.inputs.items()}
    listed = model.predictions.rows(rows)
    inputs = {
        "loss": column(values["loss"], "float32"),
        "label_probability": column(values["label_probability"], "float32"),
        "suspect_rank": column(values["suspect_rank"] - 1, "int32"),
        **_said((log_p for _, log_p in listed.blocks()), "", _wrong(listed)),
    }
    if model.robustness is not None:
        place = torch.full((len(model),), -1, device="cpu").scatter(
            0, model.fragile, torch.arange(len(model.fragile), device="cpu")
        )
        inputs["distance"] = column(model.robustness.robustness[rows], "float32")
        inputs["level"] = column(values["level"], "int16")
        inputs["fragile_rank"] = column(place[rows], "int32")
    if model.nearest is not None:
        inputs["nearest"] = column(model.nearest[rows], _classes(len(model.classes)))
    if model.positive is not None:
        inputs["positive_bin"] = column(model.positive.bins_of(listed), "int8")
    best = model.posthoc.recommended
    if best is not None:
        calibrator = model.posthoc.outcomes[best].calibrator
        after = calibrated_blocks(calibrator, listed)
        inputs |= _said(after, "calibrated_", _wrong(listed), model.fitted_on[rows])
    return {
        "inputs": inputs,
        "calibrated_by": best,
        "shift": _under_shift(model, rows, shift),
        "perturbations": _perturbations(model, rows, part) if part is not None or table else None,
    }


def _under_shift(model: Audited, rows: Tensor, figures: Sequence[Any]) -> list[dict[str, Any]]:
    """The figures under each corruption, with the prediction on each input if not too many."""
    if len(model.shifted) * len(rows) > MOST_SHIFTED:
        return list(figures)
    said: dict[tuple[str | None, int], dict[str, Any]] = {}
    for where, predictions in model.shifted.items():
        top = predictions.log_probabilities[rows].exp().max(dim=1)
        said[where.corruption, where.intensity] = {
            "predicted": column(top.indices, _classes(predictions.classes)),
            "confidence": column(top.values, "share"),
        }
    return [{**one, **said.get((one["type"], one["intensity"]), {})} for one in figures]


def _classes(Z: int) -> Any:
    """The type of integer that holds the numbers of Z classes, and -1."""
    return "int16" if Z <= 2**15 else "int32"


def _labels(model: Audited) -> Tensor:
    """The label of each input; for answers it is 0, "right", with which the page compares them."""
    labels = model.predictions.labels
    return torch.zeros_like(labels) if model.predictions.answers else labels


def _wrong(predictions: Predictions) -> Tensor | None:
    """1 for a wrong answer, 0 for a right one; None for other predictions."""
    return predictions.labels if predictions.answers else None


def _said(
    blocks: Iterable[Tensor], prefix: str, answers: Tensor | None, fitted: Tensor | None = None
) -> dict[str, Any]:
    """Prediction, confidence and most probable classes of each input.

    Inputs that were `fitted` on have no prediction and confidence. For `answers` the prediction is
    whether the answer is right, and the confidence is that in its being right.
    """
    parts, Z = [], 0
    for log_p in blocks:
        p, Z = log_p.exp(), log_p.shape[1]
        parts.append((p.argmax(dim=1), p[:, 0], *p.topk(min(TOP, Z), dim=1)))
    predicted, first, values, classes = map(torch.cat, zip(*parts, strict=True))
    confidence = values[:, 0]
    if answers is not None:
        predicted, confidence = answers, first
    if fitted is not None:
        predicted, confidence = predicted.where(~fitted, -1), confidence.where(~fitted, torch.nan)
    return {
        f"{prefix}predicted": column(predicted, _classes(Z)),
        f"{prefix}confidence": column(_in_its_bin(confidence), "float32"),
        f"{prefix}top_class": column(classes, _classes(Z)),
        f"{prefix}top_probability": column(values, "share"),
    }


def _in_its_bin(confidence: Tensor) -> Tensor:
    """Confidences in float32, but in the same bins: 0.6 in float32 is above 0.6 in float64."""
    rounded = confidence.float()
    beyond = bin_of(rounded.double(), BINS) > bin_of(confidence, BINS)
    return torch.where(beyond, torch.nextafter(rounded, torch.zeros((), device="cpu")), rounded)


def _perturbations(model: Audited, rows: Tensor, part: Part | None) -> dict[str, Any] | None:
    """The least robust listed inputs whose perturbed forms were kept.

    They are images of `part`, as the model takes them, or without `part` rows of a table.
    """
    if model.perturbed is None or model.robustness is None:
        return None
    ids = model.predictions.ids
    positions = places_of(model.perturbed.ids, ids)
    chosen = model.robustness.robustness[positions].argsort(stable=True)
    chosen = chosen[torch.isin(positions[chosen], rows)]
    if not len(chosen):
        return None
    if part is not None:
        chosen = chosen[:PERTURBED]
    positions, perturbed = positions[chosen], model.perturbed.inputs[chosen].float()
    top = model.perturbed.logits[chosen].double().softmax(dim=1)
    top = top.topk(min(TOP, top.shape[1]), dim=1)
    known = {
        "inputs": column(places_of(positions, rows), "int32"),
        "top_class": column(top.indices, "int32"),
        "top_probability": column(top.values, "share"),
    }
    if part is None:
        return {**known, "values": column(perturbed, "float32")}
    clean = as_input(part.images(places_of(ids[positions], part.ids)), "cpu")
    return {**known, **perturbation_sheets(clean, perturbed)}


def _listed_inputs(models: Sequence[Audited]) -> Tensor:
    """The positions int64 `(n,)` of the inputs to list, ascending: all, or `LISTED` of them.

    If not all, they are the worst of each model, and others drawn at random by their ids.
    """
    ids = models[0].predictions.ids
    if len(ids) <= LISTED:
        return torch.arange(len(ids), device="cpu")
    worst = [rows[:WORST] for one in models for rows in (one.suspects, one.fragile)]
    chosen = torch.zeros(len(ids), dtype=torch.bool, device="cpu")
    chosen[torch.cat(worst)] = True
    others = models[0].predictions.order
    others = others[~chosen[others]]
    chosen[others[: LISTED - int(chosen.sum())]] = True
    return chosen.nonzero()[:, 0]


def _in_words(n: int, models: Sequence[Audited]) -> str | None:
    """A sentence on which inputs are listed; None if all are."""
    first = models[0].predictions
    if n == len(first.ids):
        return None
    worst = (
        f"the {WORST} wrong answers with the highest confidence of each model"
        if first.answers
        else f"the {WORST} labels that each model contradicts the most"
    )
    robust = any(one.robustness is not None for one in models)
    fragile = f", the {WORST} least robust inputs that it is right on" if robust else ""
    return f"They are {worst}{fragile}, and others drawn at random."
