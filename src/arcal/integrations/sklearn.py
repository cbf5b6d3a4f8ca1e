"""Every calibrator as a scikit-learn classifier, like `CalibratedClassifierCV`."""

import warnings
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import check_cv, cross_val_predict
from sklearn.utils import assert_all_finite, column_or_1d, get_tags, indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter
from torch import Tensor

from arcal.auditing import Zeros
from arcal.calibration.checks import as_weights
from arcal.calibration.posthoc import (
    CALIBRATORS,
    POSTHOC,
    Calibrator,
    check_posthoc,
)
from arcal.errors import ArcalError


class CalibratedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A classifier and a calibrator of its probabilities, fitted on rows it was not trained on.

    `estimator` is any classifier with `predict_proba`, a `LogisticRegression` unless given, and
    `method` the calibrator's name in `arcal.calibration.posthoc.POSTHOC`; "ebs" needs logits, which
    scikit-learn's classifiers do not give. `fit` predicts every row by an estimator trained on the
    other folds of `cv` (a number or a splitter, as for `cross_val_predict`), fits the calibrator to
    these predictions, and the estimator to all rows. Pass a classifier that is fitted already as
    `sklearn.frozen.FrozenEstimator`, and give `fit` other rows than it was trained on; some of its
    classes may be missing among these. Probabilities of 0, such as a forest gives, are replaced by
    small ones (`arcal.auditing.Zeros`).

    If predictions cannot be calibrated, for example because all rows are right, a warning says so
    and probabilities are the estimator's own. `fit` sets `estimator_`, `calibrator_` (None in that
    case), `zeros_` and `classes_`. An unknown method raises `ArcalError`.

    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X, y = load_wine(return_X_y=True)
    >>> classifier = CalibratedClassifier(GaussianNB(), method="temperature").fit(X[::2], y[::2])
    >>> classifier.calibrator_
    Temperature(T=...)
    >>> classifier.predict_proba(X[1::2]).shape, classifier.score(X[1::2], y[1::2]) > 0.9
    ((89, 3), True)
    """

    estimator_: Any
    calibrator_: Calibrator | None
    zeros_: Zeros
    classes_: np.ndarray

    def __init__(self, estimator: Any = None, *, method: str = "temperature", cv: Any = 5) -> None:
        self.estimator: Any = estimator
        self.method: str = method
        self.cv: Any = cv

    @classmethod
    def assembled(cls, estimator: Any, calibrator: Calibrator | None, zeros: Zeros) -> Self:
        """Combine a fitted estimator with a calibrator fitted to its predictions elsewhere.

        `zeros` say how its probabilities of 0 were replaced there.

        >>> from sklearn.naive_bayes import GaussianNB
        >>> from arcal.calibration.posthoc import Temperature
        >>> fitted = GaussianNB().fit([[0.0], [1.0], [2.0], [3.0]], ["cat", "dog", "cat", "dog"])
        >>> zeros = Zeros(least=-10.0, masked=torch.tensor([False, False]))
        >>> mild = CalibratedClassifier.assembled(fitted, Temperature(2.0), zeros)
        >>> [one.predict_proba([[9.0]]).max().round(2).item() for one in (fitted, mild)]
        [1.0, 0.98]
        """
        method = "temperature" if calibrator is None else calibrator.kind
        made = cls(FrozenEstimator(estimator), method=method)
        made.estimator_, made.calibrator_, made.zeros_ = made.estimator, calibrator, zeros
        made.classes_ = np.asarray(estimator.classes_)
        made._take_features()
        return made

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit both to rows `X` `(N, ...)` and their classes `y` `(N,)`.

        `sample_weight` `(N,)`, 0 or more, says how much each row counts, also in the fit of the
        estimator if that takes one.
        """
        check_posthoc(self.method)
        if CALIBRATORS[self.method].needs_energy:
            raise ArcalError(
                f"{self.method} needs more than probabilities, which are all that scikit-learn's "
                "classifiers give: choose another method"
            )
        y = column_or_1d(y, warn=True)
        assert_all_finite(y)
        check_classification_targets(y)
        X, y = indexable(X, y)
        w = None
        if sample_weight is not None:
            if not (given := np.asarray(sample_weight)).any():
                raise ArcalError("all weights are zero, so no row counts: raise some")
            w = as_weights(given, len(y))
        estimator: Any = self._estimator()
        weighted = w is not None and has_fit_parameter(estimator, "sample_weight")
        params = {"sample_weight": w.numpy()} if w is not None and weighted else {}
        if isinstance(estimator, FrozenEstimator):
            self.estimator_, self.classes_ = estimator, estimator.classes_
            labels = _places(y, self.classes_)
            p: Any = estimator.predict_proba(X)
        else:
            self.classes_, labels = np.unique(y, return_inverse=True)
            splits = check_cv(self.cv, y, classifier=True)
            folds: dict[str, Any] = {"cv": splits, "method": "predict_proba", "params": params}
            p = cross_val_predict(clone(estimator), X, y, **folds)
            trained: Any = clone(estimator)
            self.estimator_ = trained.fit(X, y, **params)
        self._take_features()
        log_p = _log(p)
        counting = log_p if w is None else log_p[w > 0]
        self.zeros_ = Zeros.among([counting], log_p.shape[1])
        try:
            log_p = self.zeros_.mended(log_p)
            self.calibrator_ = POSTHOC[self.method](log_p, labels, weights=w)
        except ArcalError as error:
            self.calibrator_ = None
            warnings.warn(
                f"nothing is calibrated, probabilities are the estimator's own: {error}",
                stacklevel=2,
            )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Calibrated probabilities `(N, Z)`, of the classes in the order of `classes_`."""
        check_is_fitted(self)
        p = self.estimator_.predict_proba(X)
        if self.calibrator_ is None:
            return p
        with torch.no_grad():
            return self.calibrator_(self.zeros_.mended(_log(p))).exp().numpy()

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms `(N, Z)` of the calibrated probabilities."""
        with np.errstate(divide="ignore"):  # a class that is impossible stays so
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """The class with the largest probability of each row, `(N,)`."""
        p = self.predict_proba(X)
        return self.classes_[p.argmax(axis=1)]

    def _take_features(self) -> None:
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))

    def _estimator(self) -> Any:
        return LogisticRegression() if self.estimator is None else self.estimator

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = get_tags(self._estimator()).input_tags.sparse
        return tags


def _places(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    unknown = y[~np.isin(y, classes)]
    if len(unknown):
        raise ArcalError(
            f"{unknown[0]!s} is not a class that the estimator was fitted to: leave such rows out"
        )
    order = np.argsort(classes)
    return order[np.searchsorted(classes, y, sorter=order)]


def _log(p: np.ndarray) -> Tensor:
    p = np.clip(np.asarray(p, dtype=np.float64), 0, None)
    return torch.from_numpy(p / p.sum(axis=1, keepdims=True)).log()
