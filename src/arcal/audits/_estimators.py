"""Classifiers of scikit-learn's kind, and what they say of data that they read themselves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from arcal.auditing import Audited, Predictions, as_predictions
from arcal.audits._from_predictions import from_predictions
from arcal.errors import ArcalError, first_line
from arcal.printable import first_few


def is_estimator(model: Any) -> bool:
    """Whether this is a classifier as scikit-learn has them, with `predict_proba`, and no module.

    >>> from sklearn.naive_bayes import GaussianNB
    >>> is_estimator(GaussianNB()), is_estimator(nn.Linear(3, 2))
    (True, False)
    """
    if isinstance(model, nn.Module) or not hasattr(model, "predict_proba"):
        return False
    return hasattr(model, "classes_") or not callable(model)


def class_names_of(estimator: Any, classes: Sequence[str] | None = None) -> tuple[str, ...]:
    """The names of an estimator's classes in the order of its `classes_`, or those given for them.

    Another number of names, and the estimator's in another order, raise `ArcalError`.

    >>> from sklearn.naive_bayes import GaussianNB
    >>> class_names_of(GaussianNB().fit([[0.0], [1.0]], ["cat", "dog"]))
    ('cat', 'dog')
    """
    own = tuple(map(str, _classes_of(estimator)))
    if classes is None:
        return own
    names = tuple(map(str, classes))
    if len(names) != len(own) or (names != own and sorted(names) == sorted(own)):
        raise ArcalError(
            f"`classes` are {first_few(names)}, and the `classes_` of {type(estimator).__name__} "
            f"{first_few(own)}: name these in their order"
        )
    return names


def estimated(estimator: Any, data: Any, name: str) -> Predictions:
    """What an estimator says of a pair `(X, y)` of inputs that it reads itself and their classes.

    `y` are among its `classes_`. What is no such pair, an estimator that is not fitted, an `X` that
    it does not take and a class that it does not know raise `ArcalError` with the data's `name`.

    >>> from sklearn.naive_bayes import GaussianNB
    >>> estimator = GaussianNB().fit([[0.0], [0.1], [1.0], [1.1]], ["cat", "cat", "dog", "dog"])
    >>> estimated(estimator, ([[0.0], [1.0]], ["cat", "dog"]), "data").labels
    tensor([0, 1])
    """
    kind = type(estimator).__name__
    if not isinstance(data, tuple | list) or len(data) != 2:
        given = "missing" if data is None else f"a {type(data).__name__}"
        raise ArcalError(f"{name} is {given}: give a pair (X, y) of what {kind} takes")
    X, y = data
    classes = _classes_of(estimator)
    places = {one: place for place, one in enumerate(classes)}
    labels = np.asarray(y.detach().cpu() if isinstance(y, Tensor) else y, dtype=object)
    for row, label in enumerate(labels.flat):
        if label not in places:
            raise ArcalError(
                f"{name}: the label of row {row} is {label!r}, and the `classes_` of {kind} are "
                f"{first_few(tuple(map(repr, classes)))}: give labels of these"
            )
    numbers = np.array([places[one] for one in labels.flat], dtype=np.int64).reshape(labels.shape)
    return _said(estimator, X, numbers, name)


def estimated_unlabelled(estimator: Any, sets: Mapping[str, Any]) -> dict[str, Predictions]:
    """What an estimator says of sets of inputs alone, by name; nothing of those that are None.

    >>> from sklearn.naive_bayes import GaussianNB
    >>> estimator = GaussianNB().fit([[0.0], [0.1], [1.0], [1.1]], [0, 0, 1, 1])
    >>> len(estimated_unlabelled(estimator, {"today": [[0.5], [1.0]]})["today"].ids)
    2
    """
    given = {name: X for name, X in sets.items() if X is not None}
    return {name: _said(estimator, X, None, name or "unlabelled") for name, X in given.items()}


def audited_estimators(
    models: Mapping[str, Any],
    data: Any,
    validation: Any,
    classes: Sequence[str] | None,
    without: Mapping[str, Any],
    **known: Any,
) -> list[Audited]:
    """What an audit finds in estimators by name, each of which reads the data `(X, y)` itself.

    `known` is for `from_predictions`. Arguments of the audit that an estimator has no use for,
    `without`, are None; another, and models that are no estimators, raise `ArcalError`.

    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = [[0.0], [0.4], [0.6], [1.0]] * 15, ["cat", "dog", "cat", "dog"] * 15
    >>> audited_estimators({"bayes": GaussianNB().fit(X, y)}, (X, y), None, None, {})[0].classes
    ('cat', 'dog')
    """
    kind = next(type(one).__name__ for one in models.values() if is_estimator(one))
    for name, one in models.items():
        if not is_estimator(one):
            raise ArcalError(
                f"{name} is a {type(one).__name__} and not a classifier of scikit-learn as another "
                "is: compare the predictions of all, by `as_predictions`"
            )
    for name, value in without.items():
        if value is not None:
            shown = f" {value!r}" if isinstance(value, str) else ""
            raise ArcalError(
                f"{name}{shown} needs a model of torch, and {kind} gives probabilities alone: "
                f"leave out {name}"
            )
    return [
        from_predictions(
            name,
            estimated(one, data, "data"),
            class_names_of(one, classes),
            validation=None if validation is None else estimated(one, validation, "validation"),
            **known,
        )
        for name, one in models.items()
    ]


def refuse_array(model: Any, function: Callable[..., Any]) -> None:
    """Refuse probabilities in the place of a model, and several models in a list, with what to do.

    >>> import arcal
    >>> refuse_array(np.array([[0.75, 0.25]]), arcal.audit)
    Traceback (most recent call last):
    arcal.errors.ArcalError: the model is a ndarray: of probabilities P and labels y give \
arcal.audit(arcal.auditing.as_predictions(probabilities=P, labels=y))
    """
    several = isinstance(model, list | tuple)
    array = isinstance(model, Tensor | np.ndarray) or hasattr(model, "to_numpy")
    if several or array:
        models = "give one, or a mapping from names to several; " if several else ""
        raise ArcalError(
            f"the model is a {type(model).__name__}: {models}of probabilities P and labels "
            f"y give arcal.{function.__name__}(arcal.auditing.as_predictions("
            "probabilities=P, labels=y))"
        )


def _said(estimator: Any, X: Any, labels: Any, name: str) -> Predictions:
    try:
        p = estimator.predict_proba(X)
    except Exception as error:
        raise ArcalError(
            f"{type(estimator).__name__} fails on {name} ({first_line(error)}): give X as it was "
            "fitted to"
        ) from error
    labels = np.zeros(len(p), dtype=np.int64) if labels is None else labels
    try:
        return as_predictions(probabilities=p, labels=labels)
    except ArcalError as error:
        raise ArcalError(f"{name}: {error}") from None


def _classes_of(estimator: Any) -> list[Any]:
    kind = type(estimator).__name__
    if not hasattr(estimator, "classes_"):
        raise ArcalError(f"{kind} has no `classes_`: fit it first")
    classes = estimator.classes_
    if isinstance(classes, list) and any(np.ndim(one) for one in classes):
        raise ArcalError(f"{kind} predicts {len(classes)} labels an input: audit each by itself")
    return np.asarray(classes).tolist()
