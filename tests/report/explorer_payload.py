"""Payloads of made-up numbers for the page that people work with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from arcal.auditing import verdicts
from arcal.calibration import clopper_pearson
from arcal.report.explorer import column
from arcal.report.images import make_sheets, perturbation_sheets

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "<!--",
    "\u202eright to left",
    "nul \x00 and \x1b[31m and\nlines",
    "=1+1",
    '"quoted", with, commas',
    "lone \ud800 surrogate",
    "a name that does not end " * 8,
    "&lt;b&gt; \u2028 ]]>",
    "",
)
"""Names of classes that would break a careless page."""
BINS = 15


def make_payload(
    N: int = 300,
    *,
    classes: Sequence[str] = ("cat", "dog", "frog", "ship"),
    kind: str = "images",
    models: int = 1,
    R: int | None = 10,
    shift: bool = True,
    of: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """A payload with everything the page draws, or, by its arguments, with less."""
    draws = np.random.default_rng(seed)
    Z = len(classes)
    labels = draws.integers(0, Z, N)
    images = draws.integers(0, 256, (N, 3, 16, 16), dtype=np.uint8)
    names = [f"{'file' if kind != 'predictions' else 'row'} {i}" for i in range(N)]
    rows = draws.normal(size=(N, 3))
    made = [
        _model(
            f"model {m + 1}", labels, classes, draws, R, shift, images if kind == "images" else None
        )
        for m in range(models)
    ]
    for other in made[1:]:
        other["difference"] = _difference()
    return {
        "format": 1,
        "arcal": "0",
        "title": f"model 1 on {classes[0]}",
        "sentence": f"The model says it is surer than it is, most of all of {classes[0]}.",
        "notes": ["These numbers are made up."],
        "data": {
            "name": "made up",
            "n": N,
            "kind": kind,
            "classes": list(classes),
            "one_per": None,
            "clusters": None,
            "weighted": False,
            "facts": {"Source": classes[-1]},
        },
        "done": {"inputs": N, "of": of or N},
        "inputs": {
            "id": column(np.arange(N) + 100, "int32"),
            "label": column(labels, "int16"),
            "name": None if kind == "images" else names,
            "groupings": [
                {"groups": ["north", classes[-1], "empty"], "number": column(region(N), "int16")}
            ],
        },
        "models": made,
        "images": make_sheets([torch.from_numpy(images)], N) if kind == "images" else None,
        "texts": [f"text {i} of {classes[labels[i]]}\nand more" for i in range(N)]
        if kind == "texts"
        else None,
        "table": {"columns": ["age", classes[0], "width"], "values": column(rows, "float32")}
        if kind == "table"
        else None,
    }


def _difference() -> dict[str, Any]:
    """How a model differs from the first."""
    better = {"value": 0.031, "low": 0.012, "high": 0.05, "n": 300}
    lower = {"value": -0.25, "low": -0.3, "high": -0.2, "n": 300}
    return {
        "than": "model 1",
        **{"accuracy": better, "gap": lower, "nll": lower, "brier": lower, "aurc": lower},
        **{"churn": 0.2, "negative_flips": 0.05, "positive_flips": 0.081},
    }


def region(N: int) -> np.ndarray:
    """The group of each input."""
    return (np.arange(N) % 5 > 1).astype(int)


def _model(
    name: str,
    labels: np.ndarray,
    classes: Sequence[str],
    draws: np.random.Generator,
    R: int | None,
    shift: bool,
    images: np.ndarray | None,
) -> dict[str, Any]:
    N, Z = len(labels), len(classes)
    logits = 2.5 * draws.normal(size=(N, Z))
    logits[np.arange(N), labels] += 3
    p = _softmax(logits)
    calm = _softmax(logits / 2)
    top = np.argsort(-p, axis=1)[:, :5]
    predicted, confidence = top[:, 0], p.max(axis=1)
    right = predicted == labels
    label_probability = p[np.arange(N), labels]
    distance = (confidence + 0.2 * draws.random(N)).astype(np.float32)
    distance[draws.random(N) < 0.02] = np.inf
    level = np.argsort(np.argsort(distance, kind="stable")) * (R or 1) // N
    wrong = np.flatnonzero(~right)[np.argsort(label_probability[~right])]
    sound = np.flatnonzero(right)[np.argsort(distance[right], kind="stable")][: N // 10]
    inputs = {
        "predicted": column(predicted, "int16"),
        "confidence": column(confidence, "float32"),
        "label_probability": column(label_probability, "float32"),
        "loss": column(-np.log(label_probability), "float32"),
        "suspect_rank": column(_ranks(N, wrong), "int32"),
        "top_class": column(top, "int16"),
        "top_probability": column(np.take_along_axis(p, top, axis=1), "share"),
        "calibrated_confidence": column(
            np.where(np.arange(N) % 2, calm.max(axis=1), np.nan), "float32"
        ),
        "calibrated_top_class": column(top, "int16"),
        "calibrated_top_probability": column(np.take_along_axis(calm, top, axis=1), "share"),
    }
    if R:
        inputs |= {
            "distance": column(distance, "float32"),
            "nearest": column(np.where(np.isinf(distance), -1, (predicted + 1) % Z), "int16"),
            "level": column(level, "int8"),
            "fragile_rank": column(_ranks(N, sound), "int32"),
        }
    errors = max(1, int((~right).sum()))
    group = lambda name, rows: _group(name, confidence[rows], right[rows], errors)  # noqa: E731
    places = [(c, r) for c in range(Z) for r in range(R or 0)]
    figures = _group("all", confidence, right, errors)
    return {
        "name": name,
        "facts": {"Made": "up"},
        "sentence": f"{name} says it is surer than it is.",
        "order": "attack" if R else None,
        "norm": "l2" if R else None,
        "overall": {
            **{key: figures[key] for key in ("n", "accuracy", "confidence", "gap", "ece")},
            "ece_if_calibrated": {"value": 0.02, "high": 0.04},
            "smooth_ece": figures["ece"],
            "nll": _mean(-np.log(label_probability)),
            "brier": _mean(((p - np.eye(Z)[labels]) ** 2).sum(axis=1)),
            "aurc": {"value": 0.05, "low": 0.04, "high": 0.06, "n": N},
        },
        "reliability": _bins(confidence, right),
        "levels": [
            {
                **group(f"Level {r}", level == r),
                "distance": [0.1 * r, None if r == R - 1 else 1.0],
            }
            for r in range(R)
        ]
        if R
        else None,
        "robust_accuracy": [
            {"radius": radius, "accuracy": _mean((right & (distance > radius)).astype(float))}
            for radius in np.linspace(0, 1.2, 13).tolist()
        ]
        if R
        else None,
        "without_distance": 3 if R else None,
        "acting": _acting(confidence, right),
        "classes": [group(classes[c], predicted == c) for c in range(Z)],
        "groupings": [
            {
                "name": classes[0],
                "groups": [
                    group(name, region(N) == g) for g, name in enumerate(("north", classes[-1]))
                ]
                + [_group("empty", np.zeros(0), np.zeros(0, bool), errors)],
            }
        ],
        "cells": [
            {"class": c, "level": r, **group("cell", chosen)}
            for c, r in places
            if (chosen := (predicted == c) & (level == r)).any()
        ],
        "shift": [
            {
                "type": type,
                "intensity": 3,
                **{key: figures[key] for key in ("accuracy", "ece", "gap")},
                "predicted": column((predicted + (draws.random(N) < 0.3)) % Z, "int16"),
                "confidence": column(0.8 * confidence, "share"),
            }
            for type in ("fog", "jpeg_compression")
        ]
        if shift
        else [],
        "other": [
            {"name": "noise", "n": 50, "auroc_confidence": 0.9, "auroc_entropy": 0.91},
        ],
        "calibrations": [
            {
                "name": key,
                "title": title,
                "preserves_accuracy": key == "temperature",
                **{f"ece_{when}": figures["ece"] for when in ("before", "after")},
                **{
                    f"nll_{when}": _mean(-np.log(label_probability)) for when in ("before", "after")
                },
                "nll_difference": {"value": -0.02, "low": -0.03, "high": -0.01, "n": N},
                "recommended": key == "temperature",
            }
            for key, title in (("temperature", "temperature scaling"), ("irm", "isotonic"))
        ],
        "calibrated_by": "temperature",
        "inputs": inputs,
        "perturbations": None if images is None else _perturbations(images[:20], top[:20], p[:20]),
    }


def _acting(confidence: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    order = np.argsort(-confidence)
    places = [len(order) * k // 20 for k in range(1, 21)]
    return {
        "curve": [
            {
                "confidence": float(confidence[order[n - 1]]),
                "coverage": n / len(order),
                "accuracy": _accuracy(right[order[:n]]),
            }
            for n in places
        ],
        "thresholds": [
            {"accuracy": 0.001, "confidence": 0.3, "coverage": 1.0, "n": 7, "share_right": 0.5},
            {"accuracy": 0.995, "confidence": 0.99987, "coverage": 0.4, "n": 3, "share_right": 1.0},
            {"accuracy": 0.999, "confidence": None},
        ],
    }


def _perturbations(images: np.ndarray, top: np.ndarray, p: np.ndarray) -> dict[str, Any]:
    x = torch.from_numpy(images).float() / 255
    changed = (x + 0.02 * torch.linspace(-1, 1, x.shape[-1])).clamp(0, 1)
    return {
        **perturbation_sheets(x, changed),
        "inputs": column(np.arange(len(images)), "int32"),
        "top_class": column(top[:, ::-1], "int16"),
        "top_probability": column(np.take_along_axis(p, top, axis=1), "share"),
    }


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _ranks(N: int, rows: np.ndarray) -> np.ndarray:
    ranks = np.full(N, -1)
    ranks[rows] = np.arange(len(rows))
    return ranks


def _mean(values: np.ndarray) -> dict[str, Any]:
    n = len(values)
    if n < 2:
        return {"value": float(values.mean()) if n else None, "low": None, "high": None, "n": n}
    mean, error = values.mean(), 1.96 * values.std(ddof=1) / n**0.5
    return {"value": float(mean), "low": float(mean - error), "high": float(mean + error), "n": n}


def _accuracy(right: np.ndarray) -> dict[str, Any]:
    n, hits = len(right), int(right.sum())
    low, high = clopper_pearson(torch.tensor([hits]), torch.tensor([n]))
    return {"value": hits / n if n else None, "low": float(low), "high": float(high), "n": n}


def _group(name: str, confidence: np.ndarray, right: np.ndarray, errors: int) -> dict[str, Any]:
    n, few = len(right), len(right) < 20
    gap = _mean(confidence - right)
    shown = not few and gap["low"] * gap["high"] > 0
    verdict = "over-confident" if (gap["value"] or 0) > 0 else "under-confident"
    return {
        "name": name,
        "n": n,
        "accuracy": _accuracy(right),
        "confidence": float(confidence.mean()) if n else None,
        "gap": gap,
        "ece": {**gap, "value": None if gap["value"] is None else abs(gap["value"]), "low": 0.0},
        "error_share": float((~right).sum() / errors),
        "few": few,
        "verdict": "too few" if few else verdict if shown else "not shown",
    }


def _bins(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    place = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1)
    counts, right_ones, sure = (
        torch.from_numpy(np.bincount(place.astype(int), weights, BINS).astype(float))
        for weights in (None, right, confidence)
    )
    said, _ = verdicts(right_ones, counts, sure / counts)
    bins = []
    for k in range(BINS):
        inside = right[place == k]
        accuracy = _accuracy(inside)
        bins.append(
            {
                "low": k / BINS,
                "high": (k + 1) / BINS,
                "count": len(inside),
                "accuracy": accuracy["value"],
                "confidence": float(confidence[place == k].mean()) if len(inside) else None,
                "accuracy_low": accuracy["low"],
                "accuracy_high": accuracy["high"],
                "verdict": said[k],
            }
        )
    return bins
