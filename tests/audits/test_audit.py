"""`arcal.audit`: what it finds is what the same figures say when they are computed by hand."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import arcal
from arcal.attacks import BoundaryProjection
from arcal.auditing import as_predictions
from arcal.errors import ArcalError
from tests.audits import tiny
from tests.audits.numbers_of_a_page import payload_of
from tests.audits.tiny import X, Y, batches

QUICK = BoundaryProjection(budget=12)


@pytest.fixture(scope="module")
def audit():
    return arcal.audit(tiny.Brightness(), tiny.part(400), name="bright", attack=QUICK, R=4)


def test_figures_are_those_of_the_predictions(audit):
    part, (model,) = tiny.part(400), audit.models
    order = part.ids.argsort()
    with torch.no_grad():
        p = tiny.Brightness()(part.pixels[order].float() / 255).double().softmax(1)
    confidence, predicted = p.max(1)
    right = predicted == part.labels[order]
    over = model.overall
    assert over.n == 400
    assert over.accuracy.value == pytest.approx(right.double().mean().item())
    assert over.gap.value == pytest.approx((confidence - right.double()).mean().item(), abs=1e-6)
    assert over.ece.value == pytest.approx(arcal.ece(confidence, right), abs=1e-6)
    loss = -p.gather(1, part.labels[order][:, None]).log().mean()
    assert over.nll.value == pytest.approx(loss.item(), abs=1e-5)
    cut = arcal.levels(tiny.distance(part.pixels[order]).float(), part.ids[order], R=4)
    by_level = arcal.by_level(confidence, right, cut, R=4)
    assert [level.n for level in model.levels] == [100] * 4
    got = torch.tensor([level.gap.value for level in model.levels])
    assert torch.allclose(got.double(), by_level.gap, atol=0.02)  # an attack is not exact


def test_the_table_of_inputs_is_worst_first_and_complete(audit):
    table = audit.inputs()
    assert table.num_rows == 400
    wrong = int((~table["correct"].to_numpy()).sum())
    ranks = table["suspect_rank"].to_pylist()
    assert ranks[:wrong] == list(range(1, wrong + 1))
    assert ranks[wrong:] == [0] * (400 - wrong)
    own = table["label_probability"].to_numpy()[:wrong]
    assert (np.diff(own) >= 0).all()
    assert set(table["label_name"].to_pylist()) == set(tiny.CLASSES)
    assert set(table["nearest_name"].to_pylist()) <= {*tiny.CLASSES, None}
    with pytest.raises(ArcalError, match="no model 'other', only bright"):
        audit.inputs("other")


def test_a_part_a_pair_and_a_loader_are_the_same():
    part, model = tiny.part(60), tiny.Brightness()
    options = {"classes": tiny.CLASSES, "attack": QUICK, "R": 3, "shift": []}
    x = part.pixels.float() / 255
    order = part.ids.argsort()
    one = arcal.audit(model, part, attack=QUICK, R=3, shift=[])
    other = arcal.audit(model, (x[order], part.labels[order]), **options)
    loader = DataLoader(TensorDataset(part.ids, x, part.labels), batch_size=16)
    third = arcal.audit(model, loader, **{**options, "shift": None})
    for mine in (other, third):
        for name, value in mine.figures()["model"].items():
            assert value == pytest.approx(one.figures()["model"][name], rel=1e-3, abs=1e-6), name


def test_predictions_alone_give_all_but_robustness(tmp_path):
    predictions = as_predictions(logits=[[3.0, 0.0]] * 300, labels=[0] * 200 + [1] * 100)
    audit = arcal.audit(predictions, classes=["cat", "dog"])
    (model,) = audit.models
    assert model.levels is None
    assert model.by_class[0].verdict == "over-confident"
    assert model.posthoc.recommended is not None
    assert "least_robust.gap" not in audit.figures()["model"]
    assert audit.report(tmp_path).exists()
    with pytest.raises(ArcalError, match="leave out the data"):
        arcal.audit(predictions, [])


def test_labels_that_are_names_are_looked_up_in_the_classes():
    names = ["no", "yes"]
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2)).eval()
    said = [names[y] for y in Y.tolist()]
    one, other = (arcal.audit(model, (X, y), classes=names, order=None) for y in (Y, said))
    assert one.as_json() == other.as_json()
    tried = ["temperature"]
    calibrated = [
        arcal.calibrate(model, (X, y), classes=names, calibrators=tried).choice for y in (Y, said)
    ]
    assert calibrated[0].before == calibrated[1].before
    with pytest.raises(ArcalError, match="the label of row 0 is 'no', and the classes are a, b"):
        arcal.audit(model, (X, said), classes=["a", "b"], order=None)


def test_what_is_written_can_be_read_and_has_no_trace_of_pictures_if_not_wanted(audit, tmp_path):
    page = audit.report(tmp_path / "with")
    assert page == tmp_path / "with" / "index.html"
    figures = json.loads((tmp_path / "with" / "audit.json").read_text())
    assert figures["models"][0]["figures"]["ece"] == audit.figures()["bright"]["ece"]
    assert pq.read_table(tmp_path / "with" / "inputs.parquet").equals(audit.inputs())
    assert "data:image/webp" in json.dumps(payload_of(page))
    without = payload_of(audit.report(tmp_path / "without", images=False))
    assert "data:image/" not in json.dumps(without)


def test_the_same_audit_is_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        audit = arcal.audit(tiny.Brightness(), tiny.part(60), attack=QUICK, R=3)
        audit.report(tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


def test_several_models_stand_side_by_side(tmp_path):
    models = {"sharp": tiny.Brightness(), "flat": tiny.Brightness(2.0)}
    audit = arcal.audit(models, tiny.part(60), order="margin", R=3, shift=[])
    assert list(audit.figures()) == ["sharp", "flat"]
    audit.report(tmp_path)
    table = pq.read_table(tmp_path / "inputs.parquet")
    assert table.num_rows == 120
    assert set(table["model"].to_pylist()) == {"sharp", "flat"}
    for name in models:
        assert name in audit.markdown()
        assert name in audit.summary(None)


def test_other_data_and_validation():
    part, model = tiny.part(240), tiny.Brightness()
    noise = torch.randint(0, 256, (50, 1, 28, 28), generator=torch.Generator().manual_seed(1))
    grey = (noise.float() / 255, torch.zeros(50).long())
    audit = arcal.audit(
        model, part.subset(part.ids[:120]), order=None, shift=[],
        validation=part.subset(part.ids[120:]), other={"noise": grey},
    )  # fmt: skip
    (one,) = audit.models
    assert one.posthoc.fitted_on == 120
    assert one.posthoc.shown_on == 120
    assert audit.figures()["model"]["other.noise.auroc_confidence"] > 0.9
    with pytest.raises(ArcalError, match="other is a list: give a mapping from names"):
        arcal.audit(model, part, order=None, other=[grey])  # pyright: ignore[reportArgumentType]


def test_the_classes_named_are_those_of_the_model_of_a_loader():
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2)).eval()
    with pytest.raises(ArcalError, match="logits of 2 classes, and the data has 3"):
        arcal.audit(model, batches(X, Y), classes=["a", "b", "c"])


def test_labels_that_count_from_one_and_a_class_that_is_missing_are_said():
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3)).eval()
    with pytest.raises(ArcalError, match=r"the data has 4, with labels from 1 to 3: number them"):
        arcal.audit(model, (X, 1 + torch.arange(40) % 3))
    with pytest.raises(
        ArcalError, match=r"names of the model's, in its order, as `classes` \(--classes"
    ):
        arcal.audit(model, (X, Y), classes=["a", "b"])
    shifted = arcal.audit(model, (X, Y + 1), order=None)
    assert "the labels are 1 to 2, of classes 0 to 2: do they count from 1?" in shifted.summary(
        None
    )
    other = arcal.audit(model, (X, 2 * Y), order=None)
    assert "do they count from 1" not in other.summary(None)


def states(model):
    modules, weights = list(model.modules()), list(model.parameters())
    return (
        [module.training for module in modules],
        [weight.requires_grad for weight in weights],
        [weight.clone() for weight in weights],
        [buffer.clone() for buffer in model.buffers()],
    )


def same(one, other):
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for mine, its in zip(one, other, strict=True)
        for a, b in zip(mine, its, strict=True)
    )


@pytest.mark.parametrize("kind", ["pair", "loader"])
@pytest.mark.parametrize("layer", [torch.nn.Dropout(), torch.nn.BatchNorm1d(16)])
def test_a_model_in_training_mode_is_refused_where_it_matters(kind, layer):
    model = torch.nn.Sequential(torch.nn.Flatten(), layer, torch.nn.Linear(16, 2)).train()
    before = states(model)
    with pytest.raises(ArcalError, match=r"in training mode, .*: call `.eval\(\)` first"):
        arcal.audit(model, (X, Y) if kind == "pair" else batches(X, Y))
    assert same(states(model), before)
    arcal.audit(model.eval(), (X, Y) if kind == "pair" else batches(X, Y), order="margin", R=2)
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("kind", ["pair", "loader"])
def test_a_model_is_left_as_it_was_found(kind):
    """Some in training mode, which does not matter to them, and one layer frozen."""
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 4), torch.nn.Linear(4, 2))
    model[1].eval()
    model[1].weight.requires_grad_(False)
    before = states(model)
    arcal.audit(model, (X, Y) if kind == "pair" else batches(X, Y), attack=QUICK, R=2)
    assert same(states(model), before)
