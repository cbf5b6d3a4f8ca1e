"""What the page is drawn from: the findings, every input, and the pictures of inputs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from arcal.auditing import Audited, Predictions, calibrated
from arcal.audits._examples import Examples
from arcal.data import Part, as_input
from arcal.report.explorer import column
from arcal.report.thumbnails import make_sheets, perturbation_sheets

TOP = 5
"""The classes of an input whose probabilities the page has."""
PERTURBED = 500
"""The least robust images whose perturbations the page shows."""
MOST_VALUES = 2_000_000
"""The numbers of a table, or of its perturbed rows, that the page holds at most."""
BATCH = 500


def payload(
    findings: Mapping[str, Any],
    models: Sequence[Audited],
    examples: Examples | None,
    *,
    images: bool = True,
) -> dict[str, Any]:
    """`findings` as `audit.json` has them, with all inputs.

    Without `images` no picture, text or row of an input is in it.
    """
    first = models[0]
    ids = first.predictions.ids
    rows = _rows(examples, ids) if examples is not None else None
    part = examples.part if examples is not None and images else None
    table = None if examples is None or rows is None or not images else _table(examples, rows)
    inputs: dict[str, Any] = {
        "id": column(ids, "int32" if int(ids.abs().max()) < 2**31 else "float64"),
        "label": column(first.predictions.labels, "int32"),
        "name": None if first.names is None else list(first.names),
        "weight": None if first.weights is None else column(first.weights, "float32"),
    }
    texts = None
    if examples is not None and examples.texts is not None and images:
        assert rows is not None
        texts = [examples.texts[i] for i in rows.tolist()]
    return {
        **findings,
        "inputs": inputs,
        "models": [
            {**one, **_model(model, part, table is not None)}
            for one, model in zip(findings["models"], models, strict=True)
        ],
        "images": None if part is None or rows is None else _thumbnails(part, rows),
        "texts": texts,
        "table": table,
    }


def _rows(examples: Examples, ids: Tensor) -> Tensor:
    """The positions of these ids among the examples."""
    order = examples.ids.argsort()
    return order[torch.searchsorted(examples.ids[order], ids)]


def _thumbnails(part: Part, rows: Tensor) -> Mapping[str, Any]:
    def batches() -> Iterator[Tensor]:
        for some in rows.split(BATCH):
            yield part.images(some)

    return make_sheets(batches(), len(rows))


def _table(examples: Examples, rows: Tensor) -> dict[str, Any] | None:
    """The inputs as rows of numbers; None for other inputs, and for more than the page holds."""
    if examples.columns is None or len(rows) * len(examples.columns) > MOST_VALUES:
        return None
    values = examples.read(rows)
    return {"columns": list(examples.columns), "values": column(values, "float32")}


def _model(model: Audited, part: Part | None, table: bool) -> dict[str, Any]:
    by_id = model.inputs["id"].argsort()
    rows = {name: values[by_id] for name, values in model.inputs.items()}
    inputs = {
        "loss": column(rows["loss"], "float32"),
        "label_probability": column(rows["label_probability"], "float32"),
        "suspect_rank": column(rows["suspect_rank"] - 1, "int32"),
        **_said(model.predictions, ""),
    }
    if model.robustness is not None:
        place = torch.full((len(model),), -1).scatter(
            0, model.fragile, torch.arange(len(model.fragile))
        )
        inputs["distance"] = column(model.robustness.robustness, "float32")
        inputs["level"] = column(rows["level"], "int16")
        inputs["fragile_rank"] = column(place, "int32")
    if model.nearest is not None:
        inputs["nearest"] = column(model.nearest, "int32")
    best = model.posthoc.recommended
    if best is not None:
        calibrator = model.posthoc.outcomes[best].calibrator
        inputs |= _said(calibrated(calibrator, model.predictions), "calibrated_", model.fitted_on)
    return {
        "inputs": inputs,
        "calibrated_by": best,
        "perturbations": _perturbations(model, part) if part is not None or table else None,
    }


def _said(predictions: Predictions, prefix: str, fitted: Tensor | None = None) -> dict[str, Any]:
    """The most probable classes of each input; nothing of inputs that were `fitted` on."""
    probabilities = predictions.log_probabilities.exp()
    top = probabilities.topk(min(TOP, probabilities.shape[1]), dim=1)
    unknown = torch.zeros(len(probabilities), dtype=torch.bool) if fitted is None else fitted
    return {
        f"{prefix}predicted": column(predictions.predicted.where(~unknown, -1), "int32"),
        f"{prefix}confidence": column(top.values[:, 0].where(~unknown, torch.nan), "float32"),
        f"{prefix}top_class": column(top.indices, "int32"),
        f"{prefix}top_probability": column(top.values, "share"),
    }


def _perturbations(model: Audited, part: Part | None) -> dict[str, Any] | None:
    """The least robust of the inputs that were kept as they are when perturbed.

    They are images of `part`, or without it rows of a table.
    """
    if model.perturbed is None or not len(model.perturbed.ids) or model.robustness is None:
        return None
    ids = model.predictions.ids
    positions = torch.searchsorted(ids, model.perturbed.ids)
    chosen = model.robustness.robustness[positions].argsort(stable=True)
    if part is not None:
        chosen = chosen[:PERTURBED]
    positions, perturbed = positions[chosen], model.perturbed.inputs[chosen].float()
    top = model.perturbed.logits[chosen].double().softmax(dim=1)
    top = top.topk(min(TOP, top.shape[1]), dim=1)
    known = {
        "inputs": column(positions, "int32"),
        "top_class": column(top.indices, "int32"),
        "top_probability": column(top.values, "share"),
    }
    if part is None:
        return {**known, "values": column(perturbed, "float32")}
    order = part.ids.argsort()
    rows = order[torch.searchsorted(part.ids[order], ids[positions])]
    clean = as_input(part.images(rows), "cpu")
    return {**known, **perturbation_sheets(clean, perturbed)}
