"""Classifiers with scikit-learn's interface, and their predictions on data they read themselves."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from arcal.auditing import Audited, Caveat, Predictions, as_predictions, check_rows
from arcal.audits._drawn import ALL
from arcal.audits._from_predictions import from_predictions
from arcal.errors import ArcalError, a_type, first_line, prefixing_errors
from arcal.printable import first_few

ROUNDED = 1e-6
"""Probabilities whose logarithms differ by no more than this count as equal."""


def is_estimator(model: Any) -> bool:
    """Whether this is a classifier with scikit-learn's `predict_proba`, and not a torch module."""
    if isinstance(model, nn.Module) or not hasattr(model, "predict_proba"):
        return False
    return hasattr(model, "classes_") or not callable(model)


def class_names_of(estimator: Any, classes: Sequence[str] | None = None) -> tuple[str, ...]:
    """The names of an estimator's classes in the order of its `classes_`, or the names given.

    A wrong number of names, or the estimator's own in another order, raise `ArcalError`.
    """
    own = tuple(map(str, _classes_of(estimator)))
    if classes is None:
        return own
    names = tuple(map(str, classes))
    if len(names) != len(own) or (names != own and sorted(names) == sorted(own)):
        raise ArcalError(
            f"`classes` are {first_few(names)}, but the `classes_` of "
            f"{type(estimator).__name__} are {first_few(own)}: give these, in the same order"
        )
    return names


def estimated(estimator: Any, data: Any, name: str) -> Predictions:
    """An estimator's predictions on a pair `(X, y)`: inputs that it reads itself, and classes.

    The classes `y` are among its `classes_`. Anything but such a pair, an estimator that is not
    fitted, an `X` that it does not take and an unknown class raise `ArcalError`, which names the
    data by `name`.
    """
    kind = type(estimator).__name__
    if not isinstance(data, tuple | list) or len(data) != 2:
        given = "missing" if data is None else a_type(data)
        raise ArcalError(f"{name} is {given}: give a pair (X, y) of what {kind} takes")
    X, y = data
    classes = _classes_of(estimator)
    places = {one: place for place, one in enumerate(classes)}
    check_rows(X, y, "y.loc[X.index]")
    labels = np.asarray(y.detach().cpu() if isinstance(y, Tensor) else y, dtype=object)
    for row, label in enumerate(labels.flat):
        if not isinstance(label, Hashable) or label not in places:
            raise ArcalError(
                f"{name}: the label of row {row} is {label!r}, and the `classes_` of {kind} are "
                f"{first_few(tuple(map(repr, classes)))}: give labels from these"
            )
    numbers = np.array([places[one] for one in labels.flat], dtype=np.int64).reshape(labels.shape)
    return _said(estimator, X, numbers, name)


def estimated_unlabelled(estimator: Any, sets: Mapping[str, Any]) -> dict[str, Predictions]:
    """An estimator's predictions on sets of inputs without labels, by name; None is skipped."""
    said = dict[str, Predictions]()
    for name, X in sets.items():
        if isinstance(X, tuple):
            raise ArcalError(
                f"{name or 'unlabelled'} is a tuple: give X alone, without labels; for several "
                "sets a mapping from names to them"
            )
        if X is not None:
            said[name] = _said(estimator, X, None, name or "unlabelled")
    return said


def decides_otherwise(estimator: Any, data: Any, predictions: Predictions) -> str | None:
    """A line if an estimator's `predict` does not always give the most probable class, else None.

    Examples are one with its own threshold, and an SVM whose probabilities were fitted afterwards.
    `predictions` are its probabilities on the pair `data`. Any of several equally probable classes
    counts as the most probable.
    """
    try:
        decided = np.asarray(estimator.predict(data[0]), dtype=object)
        places = {one: place for place, one in enumerate(_classes_of(estimator))}
        own = torch.tensor([places[one] for one in decided.flat], device="cpu")
    except Exception:  # it has no such method, or one that returns something else
        return None
    N = len(predictions.ids)
    if own.shape != (N,):
        return None
    log_p = predictions.logits[0].double()
    below = log_p.amax(1) - log_p.gather(1, own[:, None])[:, 0]
    if not (others := int((below > ROUNDED).sum())):
        return None
    return (
        f"its predict gives another class than the most probable one for {others:,} of {N:,} "
        f"inputs, and every figure is of the most probable one: {type(estimator).__name__} decides "
        "by a threshold or scores of its own"
    )


def audited_estimators(
    models: Mapping[str, Any],
    data: Any,
    validation: Any,
    classes: Sequence[str] | None,
    without: Mapping[str, Any],
    **known: Any,
) -> list[Audited]:
    """Estimators by name, audited on data `(X, y)` that each reads itself.

    `known` is passed on to `from_predictions`. `without` are arguments of the audit that do not
    apply to estimators: any that is not None raises `ArcalError`, as does a model that is not an
    estimator.
    """
    kind = next(type(one).__name__ for one in models.values() if is_estimator(one))
    for name, one in models.items():
        if not is_estimator(one):
            raise ArcalError(
                f"{name} is {a_type(one)}, and another model is a scikit-learn classifier: "
                "compare the predictions of all, by `as_predictions`"
            )
    for name, value in without.items():
        if value is not None:
            shown = f" {value!r}" if isinstance(value, str) else ""
            raise ArcalError(
                f"{name}{shown} needs a model of torch, and {kind} gives probabilities alone: "
                f"leave out {name}"
            )
    audited = list[Audited]()
    for name, one in models.items():
        predictions = estimated(one, data, "data")
        beside = {one: known.get(one) for one in ("weights", "by", "clusters")}
        check_beside(data, **beside, one_per=known.get("draw", ALL).values)
        otherwise = decides_otherwise(one, data, predictions)
        audited.append(
            from_predictions(
                name,
                predictions,
                class_names_of(one, classes),
                validation=None if validation is None else estimated(one, validation, "validation"),
                caveats=[Caveat("Decisions", otherwise)] if otherwise else [],
                **known,
            )
        )
    return audited


def check_beside(data: Any, **beside: Any) -> None:
    """Refuse values given per row, by name, whose index shows another order than that of X."""
    for name, values in beside.items():
        several = isinstance(values, Mapping)
        for one, rows in values.items() if several else ((None, values),):
            given = name if one is None else f"{name}[{one!r}]"
            for table in data:
                check_rows(table, rows, f"{given}.loc[X.index]", of=given)


def refuse_without_probabilities(model: Any) -> None:
    """Refuse a model that predicts without class probabilities, such as an SVM; say what to do."""
    is_class = isinstance(model, type) and not issubclass(model, nn.Module)
    if is_class and hasattr(model, "predict") and hasattr(model, "fit"):
        raise ArcalError(f"the model is the class {model.__name__}: give a fitted instance of it")
    if isinstance(model, nn.Module | Predictions) or not hasattr(type(model), "predict"):
        return
    if hasattr(model, "predict_proba") or callable(model):
        return
    kind = type(model).__name__
    if hasattr(model, "classes_"):
        raise ArcalError(
            f"{kind} gives no probabilities: fit CalibratedClassifierCV(...) of "
            "sklearn.calibration around it, which does"
        )
    raise ArcalError(
        f"{kind} has no predict_proba and no classes_: give a classifier that is fitted and has "
        "both; arcal does not take regressors"
    )


def refuse_array(model: Any, function: Callable[..., Any]) -> None:
    """Refuse probabilities in place of a model, or a list of models, and say what to do."""
    for one in model.values() if isinstance(model, Mapping) else (model,):
        refuse_without_probabilities(one)
    several = isinstance(model, list | tuple)
    array = isinstance(model, Tensor | np.ndarray) or hasattr(model, "to_numpy")
    if several or array:
        models = "give one, or a mapping from names to several; " if several else ""
        raise ArcalError(
            f"the model is {a_type(model)}: {models}for probabilities P and labels "
            f"y give arcal.{function.__name__}(arcal.auditing.as_predictions("
            "probabilities=P, labels=y))"
        )


def _said(estimator: Any, X: Any, labels: Any, name: str) -> Predictions:
    try:
        p = estimator.predict_proba(X)
    except Exception as error:
        raise ArcalError(
            f"{type(estimator).__name__} fails on {name} ({first_line(error)}): give X in the "
            "form that it was fitted to"
        ) from error
    labels = np.zeros(len(p), dtype=np.int64) if labels is None else labels
    with prefixing_errors(name):
        return as_predictions(probabilities=p, labels=labels)


def _classes_of(estimator: Any) -> list[Any]:
    kind = type(estimator).__name__
    classes = getattr(estimator, "classes_", None)
    if classes is None or not len(classes):  # CatBoost's are None or empty until it is fitted
        raise ArcalError(f"{kind} has no `classes_`: fit it first")
    if isinstance(classes, list) and any(np.ndim(one) for one in classes):
        raise ArcalError(f"{kind} predicts {len(classes)} labels an input: audit each on its own")
    return np.asarray(classes).tolist()
