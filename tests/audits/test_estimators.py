"""Classifiers of scikit-learn are audited and calibrated on data that they read themselves."""

from types import SimpleNamespace
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import nn

import arcal
from arcal.auditing import as_predictions, without_zeros
from arcal.errors import ArcalError

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(300, 3))
Y = (X[:, 0] + GENERATOR.normal(size=300) > 0).astype(int)
NAMES = np.array(["spam", "ham"])[Y]  # in another order than the alphabet's


class Index(list):
    """As much of an index of pandas as is looked at."""

    def equals(self, other):
        return self == other


class Indexed(np.ndarray):
    """An array whose rows have an index, as a table or a column of pandas has."""

    def __new__(cls, values, index):
        made = np.asarray(values).view(cls)
        made.index = Index(np.asarray(index).tolist())
        return made

    def __array_finalize__(self, of):
        self.index = getattr(of, "index", None)


@pytest.fixture(scope="module")
def pipeline():
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X[:100], NAMES[:100])


def positions(estimator, y):
    return [list(estimator.classes_).index(one) for one in y]


@pytest.mark.parametrize("kind", [np.asarray, list, np.ndarray.tolist])
def test_an_audit_is_of_its_probabilities_and_classes(pipeline, kind):
    audit = arcal.audit(pipeline, (X, kind(NAMES)), validation=(X[:100], NAMES[:100]))
    one = audit.models[0]
    assert audit.classes == ("ham", "spam")
    assert one.overall.accuracy.value == pytest.approx(pipeline.score(X, NAMES))
    assert one.levels is None
    assert one.validation is not None
    assert len(one.validation.ids) == 100
    said = as_predictions(
        probabilities=pipeline.predict_proba(X), labels=positions(pipeline, NAMES)
    )
    plain = arcal.audit(said, classes=["ham", "spam"])
    assert arcal.audit(pipeline, (X, kind(NAMES))).figures() == plain.figures()


@pytest.mark.parametrize("labels", [Y + 3, torch.from_numpy(Y + 3), (Y + 3).astype(float), Y > 0])
def test_classes_may_be_numbers(labels):
    forest = RandomForestClassifier(20, random_state=0).fit(X[:100], np.asarray(labels)[:100])
    audit = arcal.audit(forest, (X, labels))
    assert audit.classes == tuple(map(str, forest.classes_.tolist()))
    accuracy = audit.models[0].overall.accuracy.value
    assert accuracy == pytest.approx(forest.score(X, np.asarray(labels)), abs=0.02)  # ties
    names = arcal.audit(forest, (X, labels), classes=["ham", "spam"]).classes
    assert names == ("ham", "spam")


def test_it_is_calibrated_with_inputs_without_labels(pipeline):
    given: dict[str, Any] = {"calibrators": ["temperature", "ets"]}
    calibration = arcal.calibrate(pipeline, (X, NAMES), unlabelled=X[:200], **given)
    said = as_predictions(
        probabilities=pipeline.predict_proba(X), labels=positions(pipeline, NAMES)
    )
    today = as_predictions(probabilities=pipeline.predict_proba(X[:200]), labels=[0] * 200)
    plain = arcal.calibrate(said, unlabelled=today, **given)
    assert calibration.figures() == plain.figures()
    several = arcal.calibrate(pipeline, (X, NAMES), unlabelled={"a": X, "b": X[:99]}, **given)
    assert [*several.each] == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"order": "margin"}, r"order 'margin' needs a model of torch, and Pipeline gives"),
        ({"shift": ()}, r"shift needs a model of torch.*leave out shift"),
        ({"other": {"new": X}}, r"other needs a model of torch"),
        ({"attack": "pgd"}, r"attack 'pgd' needs a model of torch"),
        ({"data": (X, Y)}, r"data: the label of row 0 is \d, and the `classes_` of Pipeline are"),
        ({"validation": (X, Y)}, r"validation: the label of row 0 is \d"),
        ({"data": X}, r"data is an ndarray: give a pair \(X, y\) of what Pipeline takes"),
        ({"data": None}, r"data is missing: give a pair \(X, y\)"),
        ({"data": (X[:, :2], NAMES)}, r"Pipeline fails on data \(X has 2 features.*give X in th"),
        ({"data": (X, NAMES[:9])}, r"data: labels have shape \(9,\), and there are 300 inputs"),
        (
            {"classes": ["spam", "ham"]},
            r"`classes` are spam, ham, but the `classes_` of Pipeline are ham",
        ),
    ],
)
def test_what_it_cannot_be_audited_with_is_said_in_a_line(pipeline, given, message):
    given = {"data": (X, NAMES)} | given
    with pytest.raises(ArcalError, match=message) as raised:
        arcal.audit(pipeline, given.pop("data"), **given)
    assert "\n" not in str(raised.value)


def test_models_that_cannot_be_audited_are_named(pipeline):
    with pytest.raises(ArcalError, match=r"LogisticRegression has no `classes_`: fit it first"):
        arcal.calibrate(LogisticRegression(), (X, NAMES))
    with pytest.raises(ArcalError, match="net is a Linear, and another model is a scikit-learn cl"):
        arcal.audit({"pipeline": pipeline, "net": nn.Linear(3, 2)}, (X, NAMES))
    several = RandomForestClassifier(2).fit(X, np.stack([Y, 1 - Y], axis=1))
    with pytest.raises(ArcalError, match=r"predicts 2 labels an input: audit each on its own"):
        arcal.audit(several, (X, Y))


def test_a_calibrated_estimator_is_one_itself(tmp_path):
    x, y = make_classification(1400, 20, n_informative=10, n_classes=3, flip_y=0.1, random_state=0)
    labels = np.array(["spam", "eggs", "ham"])[y]
    fitted_to, rest = slice(400, 900), slice(900, 1400)
    forest = RandomForestClassifier(30, random_state=0).fit(x[:400], labels[:400])
    assert (forest.predict_proba(x[rest]) == 0).any()
    of = x[fitted_to], labels[fitted_to]
    calibration = arcal.calibrate(forest, of, calibrators=["temperature"])
    assert calibration.choice.picked
    # As predictions that were saved are calibrated
    said = [
        as_predictions(
            probabilities=forest.predict_proba(x[some]), labels=positions(forest, labels[some])
        )
        for some in (fitted_to, rest)
    ]
    mended, _ = without_zeros(said[1], like=said[0])
    expected = calibration.calibrator(mended.log_probabilities).exp().numpy()
    joblib.dump(calibration.estimator, tmp_path / "calibrated.joblib")
    for one in (calibration.estimator, joblib.load(tmp_path / "calibrated.joblib")):
        assert one.classes_.tolist() == ["eggs", "ham", "spam"]
        p = one.predict_proba(x[rest])
        assert p == pytest.approx(expected, abs=1e-9)
        assert (p > 0).all()
        assert one.predict(x[rest]).tolist() == one.classes_[p.argmax(1)].tolist()
    audit = arcal.audit(one, (x[rest], labels[rest]))
    assert audit.models[0].overall.confidence.value == pytest.approx(p.max(1).mean())
    with pytest.raises(ArcalError, match="RandomForestClassifier is not a torch model: use `est"):
        _ = calibration.classifier


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LinearSVC().fit(X, NAMES), "LinearSVC gives no probabilities: fit CalibratedClassifierCV"),
        (GridSearchCV(LinearSVC(), {"C": [1]}).fit(X, NAMES), "GridSearchCV gives no probabilitie"),
        (LinearRegression().fit(X, Y), "LinearRegression has no predict_proba and no classes_"),
        (LogisticRegression, "the model is the class LogisticRegression: give a fitted instance"),
        (SimpleNamespace(predict_proba=len, classes_=None), "SimpleNamespace has no `classes_`: f"),
    ],
)
@pytest.mark.parametrize("function", [arcal.audit, arcal.calibrate])
def test_what_gives_no_probabilities_is_told_what_to_do(model, message, function):
    with pytest.raises(ArcalError, match=message):
        function(model, (X, NAMES))


def test_rows_in_another_order_by_their_index_are_refused(pipeline):
    index = np.random.default_rng(0).permutation(300)
    table = Indexed(X, index)
    inverse = np.argsort(index)
    names, numbers = Indexed(NAMES, index), Indexed(np.linspace(1, 2, 300), index)
    arcal.audit(pipeline, (table, names), weights=numbers, by={"half": Indexed(Y, index)})
    for given, message in (
        ({"data": (table, Indexed(NAMES[inverse], index[inverse]))}, "that of the labels: .*y.loc"),
        ({"weights": Indexed(numbers, index[inverse])}, "that of weights: .*weights.loc"),
        ({"by": {"half": Indexed(Y, index[inverse])}}, "that of by.'half'.: give both in one ord"),
    ):
        known: dict[str, Any] = {"data": (table, names)} | given
        with pytest.raises(ArcalError, match=message):
            arcal.audit(pipeline, known.pop("data"), **known)
    with pytest.raises(ArcalError, match="that of weights"):
        arcal.calibrate(pipeline, (table, names), weights=Indexed(numbers, index[inverse]))
    assert arcal.audit(pipeline, (table, Indexed(NAMES, np.arange(300) + 900)))  # of no such rows


def test_an_estimator_that_decides_by_a_threshold_is_said_to():
    linear = FrozenEstimator(LogisticRegression().fit(X[:100], NAMES[:100]))
    given: dict[str, Any] = {"threshold": 0.1, "pos_label": "spam"}
    careful = FixedThresholdClassifier(linear, **given).fit(X, NAMES)
    most_probable = careful.classes_[careful.predict_proba(X).argmax(1)]
    n = int((careful.predict(X) != most_probable).sum())
    assert n > 30
    line = f"its predict gives another class than the most probable one for {n} of 300 inputs"
    audit = arcal.audit(careful, (X, NAMES))
    assert line in audit.summary(None)
    right = (most_probable == NAMES).mean()
    assert audit.models[0].overall.accuracy.value == pytest.approx(right)
    doubts = arcal.calibrate(careful, (X, NAMES), calibrators=["temperature"]).doubts
    assert any(line in doubt for doubt in doubts)
    forest = RandomForestClassifier(2, random_state=0).fit(X[:100], NAMES[:100])
    assert "its predict" not in arcal.audit(forest, (X, NAMES)).summary(None)  # ties are none


BOOSTED = {
    "xgboost": ("XGBClassifier", {"n_estimators": 100}),
    "lightgbm": ("LGBMClassifier", {"n_estimators": 100, "verbose": -1}),
    "catboost": (
        "CatBoostClassifier",
        {"iterations": 300, "depth": 8, "verbose": 0, "allow_writing_files": False},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("package", BOOSTED)
@pytest.mark.parametrize("Z", [2, 3])
def test_boosted_trees_are_estimators(package, Z):
    kind, settings = BOOSTED[package]
    make = getattr(pytest.importorskip(package, reason=f"{package} is not installed"), kind)
    x, y = make_classification(
        1500, 10, n_informative=6, n_classes=Z, flip_y=0.3, class_sep=0.5, random_state=0
    )
    model = make(**settings).fit(x[:500], y[:500])
    rest = x[500:], y[500:]
    audit = arcal.audit(model, rest)
    right = np.asarray(model.predict(rest[0])).ravel() == rest[1]
    assert audit.classes == tuple("012"[:Z])
    assert audit.models[0].overall.accuracy.value == pytest.approx(right.mean())
    calibrated = arcal.calibrate(model, rest, calibrators=["temperature"]).estimator
    p, q = calibrated.predict_proba(x), model.predict_proba(x)
    assert (p.argmax(1) == q.argmax(1)).all()
    if package != "catboost":  # which is hardly over-confident
        assert p.max(1).mean() < q.max(1).mean()
