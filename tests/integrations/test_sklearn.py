"""Calibrators as scikit-learn's classifiers."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import check_estimator

from arcal import ArcalError
from arcal.calibration.posthoc import POSTHOC
from arcal.integrations.sklearn import CalibratedClassifier

METHODS = [name for name in POSTHOC if name != "ebs"]
NAMES = np.array(["ant", "bee", "cat"])
KNOWN = "nothing is calibrated"  # of the checks' few rows, all of them right


def rows():
    """Rows that depend on each other, of which naive Bayes is too sure."""
    X, y = make_classification(
        800, 20, n_informative=5, n_redundant=15, n_classes=3, flip_y=0.2, random_state=0
    )
    return X[:500], NAMES[y[:500]], X[500:], NAMES[y[500:]]


REPEATED = {f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")}
"""Whether a weight is how often a row is there."""
BY_NUMBER = ("vector", "smart", "pts", "spline")
"""Methods of which it is not quite, as a penalty or a step is by the effective number of rows."""


@pytest.mark.filterwarnings(f"ignore:{KNOWN}")
@pytest.mark.parametrize(
    "method",
    [
        method if method == "temperature" else pytest.param(method, marks=pytest.mark.slow)
        for method in METHODS
    ],
)
def test_it_is_an_estimator_of_scikit_learn(method):
    results = check_estimator(CalibratedClassifier(method=method), on_skip=None, on_fail=None)
    others = {
        r["check_name"]: str(r["exception"])
        for r in results
        if r["status"] != "passed" and not (method in BY_NUMBER and r["check_name"] in REPEATED)
    }
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert len(results) > 50
    assert (
        set(others)
        == skipped
        <= {
            "check_array_api_input",
            "check_classifier_data_not_an_array",
            "check_sample_weights_pandas_series",
        }
    )


@pytest.mark.parametrize("method", METHODS)
def test_it_calibrates_on_rows_it_was_not_trained_on(method):
    X, y, others, labels = rows()
    classifier = CalibratedClassifier(GaussianNB(), method=method).fit(X, y)
    p = classifier.predict_proba(others)
    before = GaussianNB().fit(X, y).predict_proba(others)
    assert log_loss(labels, p) < log_loss(labels, before) - 0.1
    assert p.sum(axis=1) == pytest.approx(1)
    assert classifier.classes_.tolist() == NAMES.tolist()
    assert classifier.predict(others).tolist() == NAMES[p.argmax(1)].tolist()

    folds = StratifiedKFold(5)
    out: Any = cross_val_predict(GaussianNB(), X, y, cv=folds, method="predict_proba")
    log_p = torch.from_numpy(out).log().log_softmax(1)
    index = {name: i for i, name in enumerate(NAMES)}
    expected = POSTHOC[method](log_p, torch.tensor([index[name] for name in y]))
    assert classifier.calibrator_ is not None
    for one, other in zip(classifier.calibrator_.buffers(), expected.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_a_fitted_classifier_stays_as_it_is():
    X, y, others, labels = rows()
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)  # which gives zeros
    assert (forest.predict_proba(others) == 0).any()
    classifier = CalibratedClassifier(FrozenEstimator(forest)).fit(others, labels)
    assert classifier.calibrator_ is not None
    same = classifier.estimator_.predict_proba(others) == forest.predict_proba(others)
    assert same.all()
    assert np.isfinite(classifier.predict_proba(others)).all()
    assert classifier.predict(others).tolist() == forest.predict(others).tolist()


@pytest.mark.parametrize("missing", NAMES)
def test_a_fitted_classifier_may_have_classes_that_no_row_is_of(missing):
    X, y, others, labels = rows()
    fitted = FrozenEstimator(GaussianNB().fit(X, y))
    some = labels != missing
    classifier = CalibratedClassifier(fitted).fit(others[some], labels[some])
    assert classifier.classes_.tolist() == NAMES.tolist()
    assert classifier.predict(others).tolist() == fitted.predict(others).tolist()
    fewer = FrozenEstimator(GaussianNB().fit(X[y != missing], y[y != missing]))
    with pytest.raises(ArcalError, match=f"{missing} is not a class that the estimator"):
        CalibratedClassifier(fewer).fit(others, labels)


def test_what_cannot_be_calibrated_is_said():
    X = np.r_[np.zeros((20, 1)), np.ones((20, 1))]
    y = np.r_[np.zeros(20), np.ones(20)].astype(int)
    with pytest.warns(UserWarning, match=f"{KNOWN}.*classified correctly"):
        classifier = CalibratedClassifier().fit(X, y)
    assert classifier.calibrator_ is None
    expected = LogisticRegression().fit(X, y).predict_proba(X)
    assert np.array_equal(classifier.predict_proba(X), expected)


@pytest.mark.parametrize(("method", "says"), [("ebs", "choose another"), ("platt", "is unknown")])
def test_another_method_is_one_line(method, says):
    X, y, *_ = rows()
    with pytest.raises(ArcalError, match=says):
        CalibratedClassifier(method=method).fit(X, y)


@pytest.mark.parametrize("method", ["temperature", "irm"])
def test_a_weight_is_how_often_a_row_is_there(method):
    X, y, others, labels = rows()
    trained = FrozenEstimator(GaussianNB().fit(X, y))
    times = np.random.default_rng(0).integers(0, 4, len(labels))
    again = np.repeat(np.arange(len(labels)), times)
    fit = CalibratedClassifier(trained, method=method).fit
    weighted = fit(others, labels, sample_weight=times).predict_proba(X)
    repeated = fit(others[again], labels[again]).predict_proba(X)
    plain = fit(others, labels).predict_proba(X)
    assert np.allclose(weighted, repeated, atol=1e-6)
    assert not np.allclose(weighted, plain, atol=1e-4)


def test_weights_are_given_to_an_estimator_that_takes_some():
    X, y, others, _ = rows()
    heavy = np.where(y == y[0], 9.0, 1.0)
    weighted = CalibratedClassifier(GaussianNB()).fit(X, y, sample_weight=heavy)
    inside = GaussianNB().fit(X, y, sample_weight=heavy)
    assert np.allclose(weighted.estimator_.predict_proba(others), inside.predict_proba(others))
    neighbours = CalibratedClassifier(KNeighborsClassifier()).fit(X, y, sample_weight=heavy)
    assert neighbours.calibrator_ is not None
    assert str(neighbours.calibrator_) != str(
        CalibratedClassifier(KNeighborsClassifier()).fit(X, y).calibrator_
    )
    with pytest.raises(ArcalError, match="weights must be 0 or more"):
        CalibratedClassifier(GaussianNB()).fit(X, y, sample_weight=-heavy)
