"""Classifiers of scikit-learn are audited and calibrated on data that they read themselves."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

import arcal
from arcal.auditing import as_predictions
from arcal.errors import ArcalError

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(300, 3))
Y = (X[:, 0] + GENERATOR.normal(size=300) > 0).astype(int)
NAMES = np.array(["spam", "ham"])[Y]  # in another order than the alphabet's


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


def test_it_takes_rows_with_texts_several_models_weights_and_groups(tmp_path):
    places = np.where(X[:, 1] > 0, "here", "there")
    table = [[value, place] for value, place in zip(X[:, 0], places, strict=True)]
    encoded = make_column_transformer((OneHotEncoder(), [1]), remainder="passthrough")
    models = {
        name: make_pipeline(encoded, one).fit(table, NAMES)
        for name, one in {
            "linear": LogisticRegression(),
            "forest": RandomForestClassifier(10, max_depth=3, random_state=0),
        }.items()
    }
    weights = np.linspace(1, 2, 300)
    audit = arcal.audit(models, (table, NAMES), weights=weights, by={"place": places})
    assert [one.name for one in audit.models] == ["linear", "forest"]
    assert len(audit.differences) == 1
    assert len(audit.models[0].by_grouping[0]) == 2
    assert audit.report(tmp_path).exists()


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


def test_a_module_that_has_probabilities_too_is_a_module():
    class Both(nn.Linear):
        classes_ = ("a", "b")

        def predict_proba(self, x):
            raise AssertionError

    x = torch.rand(60, 3)
    audit = arcal.audit(Both(3, 2).eval(), (x, torch.arange(60) % 2), order="margin")
    assert audit.models[0].levels


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"order": "margin"}, r"order 'margin' needs a model of torch, and Pipeline gives"),
        ({"shift": ()}, r"shift needs a model of torch.*leave out shift"),
        ({"other": {"new": X}}, r"other needs a model of torch"),
        ({"attack": "pgd"}, r"attack 'pgd' needs a model of torch"),
        ({"data": (X, Y)}, r"data: the label of row 0 is \d, and the `classes_` of Pipeline are"),
        ({"validation": (X, Y)}, r"validation: the label of row 0 is \d"),
        ({"data": X}, r"data is a ndarray: give a pair \(X, y\) of what Pipeline takes"),
        ({"data": None}, r"data is missing: give a pair \(X, y\)"),
        ({"data": (X[:, :2], NAMES)}, r"Pipeline fails on data \(X has 2 features.*give X as it"),
        ({"data": (X, NAMES[:9])}, r"data: labels have shape \(9,\), and there are 300 inputs"),
        (
            {"classes": ["spam", "ham"]},
            r"`classes` are spam, ham, and the `classes_` of Pipeline ham",
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
    with pytest.raises(ArcalError, match=r"net is a Linear and not a classifier of scikit-learn"):
        arcal.audit({"pipeline": pipeline, "net": nn.Linear(3, 2)}, (X, NAMES))
    several = RandomForestClassifier(2).fit(X, np.stack([Y, 1 - Y], axis=1))
    with pytest.raises(ArcalError, match=r"predicts 2 labels an input: audit each by itself"):
        arcal.audit(several, (X, Y))


@pytest.mark.parametrize("P", [np.full((4, 2), 0.5), np.full(4, 0.5), torch.full((4, 2), 0.5)])
@pytest.mark.parametrize("function", [arcal.audit, arcal.calibrate])
def test_probabilities_in_the_place_of_a_model_are_refused_with_the_code_to_write(P, function):
    code = f"arcal.{function.__name__}(arcal.auditing.as_predictions(probabilities=P, labels=y))"
    with pytest.raises(ArcalError) as raised:
        function(P, [0, 1, 0, 1])
    assert code in str(raised.value)
