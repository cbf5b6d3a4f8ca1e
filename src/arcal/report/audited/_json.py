"""An audit's findings as JSON values: `audit.json`, and the page without its inputs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from arcal._version import __version__
from arcal.auditing import (
    Acting,
    Audited,
    ClassProbability,
    Estimate,
    Group,
    Outcome,
    ProbabilityBin,
    accuracy_interval,
    counts_if_calibrated,
    facts_with,
    reliability,
    verdicts,
)
from arcal.report.audited._changes import changes_json
from arcal.report.audited._doubts import right_without_distance
from arcal.report.audited._figures import Finding, figures
from arcal.report.audited._words import headline, notes
from arcal.report.names import posthoc_names
from arcal.report.numbers import plain

FORMAT = 1
"""Increased when a reader of the earlier format would misread the new one."""


def as_json(
    findings: Sequence[Finding],
    data: str,
    of: int | None,
    facts: Mapping[str, str],
    kind: str,
    one_per: str | None = None,
) -> dict[str, Any]:
    """The findings on all models; numbers that are not finite are null."""
    first, names = findings[0].model, ", ".join(one.model.name for one in findings)
    return {
        "format": FORMAT,
        "arcal": __version__,
        "title": names if names == data else f"{names} on {data}",  # one file of predictions
        "sentence": headline(first),
        "notes": notes(findings),
        "data": {
            "name": data,
            "n": len(first),
            "kind": kind,
            "one_per": one_per,
            "clusters": None
            if first.clusters is None
            else {"by": first.clusters.name, "n": len(first.clusters.number.unique())},
            "weighted": first.weights is not None,
            "classes": list(first.classes),
            "facts": dict(facts),
        },
        "done": {"inputs": len(first), "of": of or len(first)},
        "models": [plain(_model(one, facts)) for one in findings],
    }


def _model(finding: Finding, said: Mapping[str, str]) -> dict[str, Any]:
    """The findings on one model; facts already `said` about the data are left out."""
    model, difference, changes = finding.model, finding.difference, finding.changes
    over = model.overall
    return {
        "name": model.name,
        "facts": {
            title: fact
            for title, fact in facts_with(model.facts, model.caveats).items()
            if said.get(title) != fact
        },
        "sentence": headline(model),
        "order": model.robustness.order if model.robustness else None,
        "norm": model.norm,
        "figures": figures(finding),
        "overall": {
            "n": over.n,
            "confidence": over.confidence.value,
            "ece_if_calibrated": _named(over.ece_if_calibrated, ("value", "high")),
            **_named(over, ("accuracy", "gap", "ece", "smooth_ece", "nll", "brier", "aurc")),
        },
        "difference": None if difference is None else asdict(difference),
        "changes": None if changes is None else changes_json(changes),
        "reliability": _bins(model),
        "positive": None if model.positive is None else _positive(model.positive),
        "levels": None if model.levels is None else _levels(model),
        "robust_accuracy": _robust_accuracy(model),
        "without_distance": right_without_distance(model),
        "acting": acting_json(model.acting),
        "classes": [group(one) for one in model.by_class],
        "groupings": [
            {"name": one.name, "groups": [group(of) for of in groups]}
            for one, groups in zip(model.groupings, model.by_grouping, strict=True)
        ],
        "cells": [
            {"class": z, "level": r, **group(cell)}
            for z, row in enumerate(model.cells)
            for r, cell in enumerate(row)
            if cell.n
        ],
        "shift": [
            {"type": where.corruption, "intensity": where.intensity}
            | _named(one, ("accuracy", "ece", "gap"))
            for where, one in (model.shift.by_set.items() if model.shift else ())
        ],
        "other": [
            {"name": other.name, "n": other.images, **asdict(other.runs[0])}
            for other in model.other
        ],
        "calibrations": [_calibration(one, model) for one in model.posthoc.outcomes.values()],
    }


def _named(figures: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(figures, name) for name in names}


def _bins(model: Audited) -> list[dict[str, Any]]:
    """The bins of the reliability diagram, each with the interval of its accuracy and a verdict."""
    bins, counts = (
        reliability(model.predictions, **model.counting),
        reliability(model.predictions).count,
    )
    low, high = accuracy_interval(bins)
    calibrated = counts_if_calibrated(model.predictions, **model.counting)
    said, _ = verdicts(bins.correct_sums, bins.count, bins.confidence, calibrated)
    return [
        {
            "low": k / bins.bins,
            "high": (k + 1) / bins.bins,
            "count": int(counts[k]),
            "accuracy": float(bins.accuracy[k]),
            "confidence": float(bins.confidence[k]),
            "accuracy_low": float(low[k]),
            "accuracy_high": float(high[k]),
            "verdict": said[k],
        }
        for k in range(bins.bins)
    ]


def _positive(one: ClassProbability) -> dict[str, Any]:
    """A class's probability and its frequency, overall and by bins."""

    def curve(bins: Sequence[ProbabilityBin]) -> list[dict[str, Any]]:
        names = ("low", "high", "probability", "frequency", "verdict")
        return [{"count": each.n, **_named(each, names)} for each in bins]

    return {
        "class": one.z,
        **_named(one, ("n", "probability", "frequency", "gap", "ece")),
        "ece_if_calibrated": _named(one.ece_if_calibrated, ("value", "high")),
        "verdict": one.verdict,
        "bins": curve(one.bins),
        "bins_of_equal_width": curve(one.bins_of_equal_width),
    }


def _levels(model: Audited) -> list[dict[str, Any]]:
    """The levels from the least robust on, with the least and the greatest distance in each."""
    assert model.levels is not None
    assert model.robustness is not None
    levels = []
    for r, one in enumerate(model.levels):
        distance = None
        if model.robustness.order == "attack":
            inside = model.robustness.robustness[model.level == r]
            distance = [float(inside.min()), float(inside.max())]
        levels.append({**group(one), "distance": distance})
    return levels


def _robust_accuracy(model: Audited) -> list[dict[str, Any]] | None:
    """The points of the curve, from radius 0 on."""
    if (curve := model.robust_accuracy) is None:
        return None
    columns = torch.stack([curve.radii, curve.accuracy, curve.low, curve.high, curve.n], dim=1)
    return [
        {"radius": radius, "accuracy": Estimate(value, low, high, round(n))}
        for radius, value, low, high, n in columns.tolist()
    ]


def acting_json(acting: Acting) -> dict[str, Any]:
    """The curve by coverage, and the thresholds.

    >>> from arcal.auditing import acting, as_predictions
    >>> sure = as_predictions(logits=[[3.0, 0.0]] * 100, labels=[0] * 100)
    >>> acting_json(acting(sure.scores))["thresholds"][-1]
    {'accuracy': 0.999, 'confidence': None}
    """
    curve = acting.curve
    columns = [curve.threshold, curve.coverage, curve.accuracy, curve.low, curve.high, curve.n]
    points = torch.stack(columns, dim=1).tolist()
    return {
        "curve": [
            {
                "confidence": confidence,
                "coverage": coverage,
                "accuracy": Estimate(value, low, high, round(n)),
            }
            for confidence, coverage, value, low, high, n in points
        ],
        "thresholds": [
            {"accuracy": target} | ({"confidence": None} if one is None else asdict(one))
            for target, one in acting.thresholds.items()
        ],
    }


def _calibration(one: Outcome, model: Audited) -> dict[str, Any]:
    figures = _named(one, ("ece", "nll"))
    return {
        "name": one.name,
        "title": posthoc_names(one.name, answers=model.predictions.answers)[1],
        "preserves_accuracy": one.keeps_accuracy,
        **{f"{name}_before": figure.before for name, figure in figures.items()},
        **{f"{name}_after": figure.after for name, figure in figures.items()},
        "nll_difference": one.nll.change,
        "recommended": one.name == model.posthoc.recommended,
    }


def group(of: Group) -> dict[str, Any]:
    """The figures of a level, a class or a cell."""
    return {
        **_named(of, ("name", "n", "accuracy", "confidence", "gap")),
        "ece": of.ece or Estimate(math.nan, math.nan, math.nan, of.n),
        "error_share": of.share_of_errors,
        **_named(of, ("few", "verdict")),
    }
