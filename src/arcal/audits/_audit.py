"""`arcal.audit`: classifiers and data in, findings out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from arcal.attacks import Bounds, as_attack
from arcal.auditing import Caveat, EvaluationSet, Predictions, as_model
from arcal.audits._audit_result import Audit
from arcal.audits._drawn import Draw
from arcal.audits._earlier import read_earlier
from arcal.audits._estimators import audited_estimators, is_estimator, refuse_array
from arcal.audits._examples import DRAWN, Examples, augmented, in_drawn_order, usable_device
from arcal.audits._from_predictions import from_predictions
from arcal.audits._job import Job, panel_for
from arcal.audits._jobs import Progress, run_jobs
from arcal.audits._loaded import (
    Loaded,
    examples_or_loaded,
    left_out,
    read_with,
    without_iterators,
)
from arcal.audits._overlap import overlap, repeated, training_part
from arcal.audits._read import NOT_DRAWN
from arcal.audits.blocks import Settings
from arcal.classifiers import check_order_given
from arcal.errors import ArcalError, a_type
from arcal.labels import refuse_text
from arcal.orders import check_audit_order
from arcal.robustness import Attack


def audit(
    model: Any,
    data: Any = None,
    *,
    name: str = "model",
    classes: Sequence[str] | None = None,
    order: str | None = "attack",
    attack: Attack | str | None = None,
    bounds: Bounds = (0.0, 1.0),
    shift: Sequence[EvaluationSet] | None = None,
    validation: Any = None,
    other: Mapping[str, Any] | None = None,
    weights: Any = None,
    by: Any = None,
    clusters: Any = None,
    one_per: Any = None,
    limit: int | None = None,
    against: Path | str | None = None,
    positive: Any = None,
    R: int = 10,
    device: str | torch.device = "cpu",
    progress: Progress = lambda done, total: None,
) -> Audit:
    """Audit a classifier: how sure it should be, and where it is wrong about that.

    `model` is anything that `arcal.auditing.as_model` takes: a module in evaluation mode, or a
    function from inputs to logits; or `Predictions`, which need no data; or a fitted classifier
    with scikit-learn's interface, `predict_proba` and `classes_`; or a mapping from names to
    several of one kind. `data` is a part of `arcal.data`, a pair `(x, y)` of tensors or arrays, a
    loader of `(x, y)`, `(ids, x, y)` or dicts, or a data set or list of pairs to make one from.
    Images are floats in [0, 1]; other inputs lie within `bounds`. Float64 inputs are converted to
    float32 unless the module has float64 weights.

    A scikit-learn classifier reads `data` and `validation` itself: pairs `(X, y)` with y among its
    `classes_`. Only its probabilities are audited; no input is attacked, corrupted or ranked.

    `order` is what the robustness levels are based on: "attack", the distance that `attack` finds
    (by default `BoundaryProjection`, with 20 to 30 passes per input, or some 800 for inputs of at
    most 64 numbers; as in `arcal.score`), the rankings "gradient" and "margin", or None for no
    levels. `shift` are corruptions applied to the images of a part, by default a panel of four;
    a pair or a loader gets none. Calibrators are fitted on the `validation` data, or without it on
    one half of the inputs. `other` are data sets, by name, of classes the model does not know; they
    need no labels. `weights` `(N,)` say how much each input counts, in the order of the data.
    `by` groups the inputs: values `(N,)` by name, such as `{"hospital": hospitals, "age": ages}`,
    or a table of such columns, with text or with numbers, which are cut into ranges. `clusters`
    `(N,)` says which inputs belong
    together, by a value each, such as the patient of each image: their errors may come together, so
    intervals are wider. `one_per` `(N,)` are such values, too, or `{"patient": patients}`: one
    input of each is drawn at random, and the others do not count. `limit` audits only so many
    inputs, drawn at random. Both need data with positions, as a part or a pair has them.
    `positive` is the class whose probability is
    compared with its frequency, such as a rare one; by default it is the second of two. `against`
    is the folder of an audit of other inputs, such as last month's, or its `audit.json`: `changes`
    then says how the figures have changed since. Anything that cannot be audited raises
    `ArcalError`.

    >>> import arcal
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()
    >>> x, y = torch.rand(60, 3, 2, 2), torch.arange(60) % 2
    >>> audit = arcal.audit(model, (x, y), classes=["cat", "dog"])
    >>> len(audit.models[0].levels), audit.inputs().num_rows
    (10, 60)
    >>> _ = audit.save("june")
    >>> since = arcal.audit(model, (x[:40], y[:40]), classes=["cat", "dog"], against="june")
    >>> since.changes[0].figures["accuracy"].verdict
    'not shown'
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, names = [[0.0], [0.4], [0.6], [1.0]] * 15, ["cat", "dog", "cat", "dog"] * 15
    >>> arcal.audit(GaussianNB().fit(X, names), (X, names)).classes
    ('cat', 'dog')
    """
    refuse_array(model, audit)
    check_audit_order(order)
    refuse_text(classes, "classes")
    models: Mapping[str, Any] = model if isinstance(model, Mapping) else {name: model}
    if not models:
        raise ArcalError("there is no model: give one, or a mapping from names to several")
    known: dict[str, Any] = {
        "classes": None if classes is None else tuple(map(str, classes)),
        **without_iterators({"weights": weights, "by": by, "clusters": clusters}),
        "R": R,
        "positive": positive,
        "draw": (draw := Draw.given(limit, without_iterators(one_per))),
    }
    earlier = None
    if against is not None:
        earlier = read_earlier(against).matched([*models]).drawn_like(draw.one_per)
    if all(isinstance(one, Predictions) for one in models.values()):
        if data is not None:
            raise ArcalError("predictions come with their labels: leave out the data")
        audited = [from_predictions(title, one, **known) for title, one in models.items()]
        return Audit("predictions", tuple(audited), against=earlier, one_per=draw.one_per)
    if any(map(is_estimator, models.values())):
        ranked = None if order == "attack" else order
        without = {"order": ranked, "attack": attack, "shift": shift, "other": other}
        without["limit"] = limit
        audited = audited_estimators(models, data, validation, without=without, **known)
        return Audit("data", tuple(audited), against=earlier, one_per=draw.one_per)
    settings = Settings(
        order=order, attack=as_attack(attack), bounds=bounds, device=usable_device(device)
    )
    jobs = _jobs(models, data, settings, shift, validation, other, **known)
    audited = run_jobs(jobs, against=earlier, progress=progress)
    return Audit.from_jobs(jobs, audited, against=earlier, one_per=draw.one_per)


def _jobs(
    models: Mapping[str, Any],
    data: Any,
    settings: Settings,
    shift: Sequence[EvaluationSet] | None,
    validation: Any,
    other: Mapping[str, Any] | None,
    *,
    classes: tuple[str, ...] | None,
    R: int,
    positive: Any,
    draw: Draw,
    **beside_data: Any,
) -> list[Job]:
    """A job for each model of torch: all that `arcal.audit` was given, read and checked."""
    _check_read_again(data, "data", models)
    if not isinstance(other or {}, Mapping):
        raise ArcalError(
            f"other is {a_type(other)}: give a mapping from names to parts or pairs (x, y)"
        )
    examples, loader, beside = read_with(
        data, settings.bounds, settings.order, classes, draw=draw, **beside_data
    )
    drawn = [*in_drawn_order(loader, len(models)), *augmented(loader), *left_out(loader)]
    names = classes if examples is None or examples.numbered else examples.classes
    for one in models.values():
        check_order_given(one, names or ())
    bounds = settings.bounds if examples is None else examples.bounds
    settings = replace(settings, bounds=bounds, panel=panel_for(shift, examples))

    def read(more: Any, title: str, *, labelled: bool) -> Examples | Loaded:
        _check_read_again(more, title, models)
        some = examples_or_loaded(more, title, settings, labelled=labelled)
        return replace(some, name=title)

    fitted_on = None if validation is None else read(validation, "validation", labelled=True)
    others = [read(of, title, labelled=False) for title, of in (other or {}).items()]
    caveats = drawn if examples is None else _there_twice(examples, fitted_on, others)
    facts = {} if draw.one_per is None or examples is None else {DRAWN: examples.facts[DRAWN]}
    caveats += [Caveat(NOT_DRAWN, said) for said in draw.not_drawn([*(other or {})])]
    return [
        Job(
            name=title,
            model=as_model(one),
            examples=examples,
            loader=loader,
            beside=beside,
            classes=classes,
            validation=fitted_on,
            other=others,
            settings=settings,
            facts=facts,
            caveats=[*caveats],
            R=R,
            positive=None if positive is None else str(positive),
        )
        for title, one in models.items()
    ]


def _there_twice(
    examples: Examples,
    validation: Examples | Loaded | None,
    other: Sequence[Examples | Loaded],
) -> list[Caveat]:
    """Caveats if inputs are repeated, are in the other data as well, or were trained on."""
    return [
        *overlap(examples, validation, other),
        *training_part(examples),
        *repeated(examples),
    ]


def _check_read_again(data: Any, title: str, models: Mapping[str, Any]) -> None:
    """Refuse data that can be read only once, if there are several models."""
    if isinstance(data, Iterator) and len(models) > 1:
        raise ArcalError(
            f"{title} can be read once, and there are several models: give a list of it"
        )
