"""Block by block: the same figures however the inputs come, and nothing is done twice."""

from collections import UserDict
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from arcal.attacks import BoundaryProjection
from arcal.auditing import EvaluationSet
from arcal.audits import Job, engine
from arcal.audits._examples import Examples
from arcal.audits.blocks import Settings, audit_block, joined
from arcal.audits.engine import AuditBlocks, from_loader, in_order
from arcal.data import as_input
from arcal.errors import ArcalError
from tests.audits import tiny

pytestmark = pytest.mark.processor

FOG = EvaluationSet(corruption="fog", intensity=3)
QUICK = Settings(attack=BoundaryProjection(budget=16), panel=(FOG,), batch=16)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(engine, "BLOCK", 20)


def in_blocks(model, examples, settings, work=None):
    job = Job("tiny", model, examples, settings=settings, work=work)
    return (block for block, _ in in_order(AuditBlocks(job, examples, settings)))


def in_batches(model, loader, settings):
    job = Job("tiny", model, None, loader, settings=settings)
    return [block for block, run in from_loader(job) if run]


def by_id(block):
    order = block.ids.argsort()
    return {
        name: value[order]
        for name, value in (*vars(block).items(), *block.shifted.items())
        if isinstance(value, torch.Tensor)
    }


def test_distances_are_those_of_the_closed_form_and_the_other_class_is_nearest():
    part = tiny.part()
    block = joined(list(in_blocks(tiny.Brightness(), Examples.from_part(part), QUICK)))
    got = by_id(block)
    order = part.ids.argsort()
    expected = tiny.distance(part.pixels[order]).float()
    assert torch.allclose(got["robustness"], expected, rtol=1e-3, atol=1e-3)
    assert torch.equal(got["nearest"], 1 - got["logits"].argmax(1))
    assert torch.equal(got["labels"], part.labels[order])


def test_the_panel_is_what_corrupted_images_give():
    from arcal.transforms import corrupt

    part, model = tiny.part(), tiny.Brightness()
    got = by_id(joined(list(in_blocks(model, Examples.from_part(part), QUICK))))
    order = part.ids.argsort()
    foggy = corrupt(part.pixels[order], part.ids[order], type="fog", intensity=3)
    with torch.no_grad():
        assert torch.allclose(got[FOG], model(as_input(foggy, "cpu")), atol=1e-5)


def test_what_was_done_is_read_and_not_done_again(tmp_path):
    calls = []

    class Counting(tiny.Brightness):
        def forward(self, x):
            calls.append(len(x))
            return super().forward(x)

    examples = tiny.examples()
    first = in_blocks(Counting(), examples, QUICK, work=tmp_path)
    half = [next(first), next(first)]  # as if it were killed here
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2
    whole = list(in_blocks(Counting(), examples, QUICK, work=tmp_path))
    for mine, read in zip(half, whole, strict=False):
        assert mine.robustness is not None
        assert read.robustness is not None
        assert torch.equal(mine.robustness, read.robustness)
        assert torch.equal(mine.shifted[FOG], read.shifted[FOG])
    assert len(list(tmp_path.rglob("*.safetensors"))) == 3
    calls.clear()
    again = list(in_blocks(Counting(), examples, QUICK, work=tmp_path))
    assert calls == [8], "only the question which model it is"
    alone = joined(list(in_blocks(Counting(), examples, QUICK)))
    for name, value in by_id(joined(again)).items():
        assert torch.equal(value, by_id(alone)[name]), name


class Milder(tiny.Brightness):
    """The same weights, but code elsewhere, such as a temperature there, was changed."""

    def forward(self, x):
        return super().forward(x) / 1.01


class Masked(tiny.Brightness):
    """With a third class that is impossible."""

    def forward(self, x):
        logits = super().forward(x)
        return torch.cat([logits, torch.full((len(x), 1), -torch.inf)], dim=1)


class MilderMasked(Masked):
    def forward(self, x):
        return super().forward(x) / 1.01


@pytest.mark.parametrize("what", ["weights", "code", "code with a mask", "labels", "attack"])
def test_another_model_data_or_attack_is_another_audit(tmp_path, what):
    settings = QUICK if what == "attack" else replace(QUICK, order=None)
    model, part = Masked() if "mask" in what else tiny.Brightness(), tiny.part()
    list(in_blocks(model, Examples.from_part(part), settings, work=tmp_path))
    if what == "weights":
        model = tiny.Brightness(4.0)
    elif "code" in what:
        model = MilderMasked() if "mask" in what else Milder()
    elif what == "labels":
        part.labels[0] = 1 - part.labels[0]
    else:
        settings = Settings(attack=BoundaryProjection(budget=20), panel=(FOG,), batch=16)
    list(in_blocks(model, Examples.from_part(part), settings, work=tmp_path))
    assert len(list(tmp_path.iterdir())) == 2


def test_the_first_blocks_are_a_random_sample_in_any_order_of_the_data():
    part = tiny.part(200)
    by_label = part.subset(part.ids[part.labels.argsort(stable=True)])
    orders = [Examples.from_part(one).order() for one in (part, by_label)]
    assert torch.equal(part.ids[orders[0]], by_label.ids[orders[1]])
    share = by_label.labels[orders[1][:100]].double().mean()
    assert abs(share - part.labels.double().mean()) < 0.15


def test_a_loader_gives_the_same_as_positions():
    part, model = tiny.part(), tiny.Brightness()
    x = as_input(part.pixels, "cpu")
    plain = Settings(attack=BoundaryProjection(budget=16))
    expected = by_id(joined([audit_block(model, part.ids, x, part.labels, plain)]))
    loader = DataLoader(TensorDataset(part.ids, x, part.labels), batch_size=25)
    for name, value in by_id(joined(in_batches(model, loader, plain))).items():
        assert torch.allclose(value.double(), expected[name].double(), rtol=1e-3, atol=1e-5), name
    pairs = DataLoader(TensorDataset(x, part.labels), batch_size=25)
    assert joined(in_batches(model, pairs, plain)).ids.tolist() == list(range(60))
    batch = {"pixel_values": x[:9], "labels": part.labels[:9], "ids": part.ids[:9]}
    for kind in (dict, UserDict):  # the latter as transformers' `BatchEncoding` is
        block = joined(in_batches(model, [kind(batch)], plain))
        assert (block.logits.shape, block.ids.tolist()) == ((9, 2), part.ids[:9].tolist())
    with pytest.raises(ArcalError, match="a batch is a Tensor: give"):
        in_batches(model, [x], plain)


def test_the_least_robust_images_are_kept_perturbed_and_come_back_from_disk(tmp_path):
    model, examples = tiny.Brightness(), tiny.examples()
    made = joined(list(in_blocks(model, examples, QUICK, work=tmp_path)))
    read = joined(list(in_blocks(model, examples, QUICK, work=tmp_path)))
    for block in (made, read):
        assert block.perturbed is not None
        assert block.robustness is not None
        assert len(block.perturbed.ids) >= 60 // 8
        rows = [block.ids.tolist().index(i) for i in block.perturbed.ids.tolist()]
        assert (block.perturbed.logits.argmax(1) != block.logits[rows].argmax(1)).all()
        rows_of_data = (examples.ids[None] == block.perturbed.ids[:, None]).long().argmax(1)
        images = examples.read(rows_of_data)
        assert isinstance(images, torch.Tensor)
        moved = (block.perturbed.inputs.float() - images).flatten(1).norm(dim=1)
        assert torch.allclose(moved, block.robustness[rows], atol=0.02)
    assert made.perturbed is not None
    assert read.perturbed is not None
    assert torch.equal(made.perturbed.inputs, read.perturbed.inputs)


def test_blocks_that_are_read_are_told_apart_from_those_that_are_run(tmp_path):
    from arcal.audits import run_jobs, score_job

    def told_by(run):
        ran, read = [], []
        run(
            progress=lambda done, total: ran.append(done),
            skipped=lambda done, total: read.append(done),
        )
        return ran, read

    settings = Settings(order="margin", batch=10)
    job = Job("tiny", tiny.Brightness(), tiny.examples(45), settings=settings, R=2)
    ran, read = told_by(lambda **told: run_jobs([job], work=tmp_path, **told))
    assert (ran, read) == ([10, 20, 20, 30, 40, 40, 45, 45, 45], [0])
    ran, read = told_by(lambda **told: run_jobs([job], work=tmp_path, **told))
    assert (ran, read) == ([45], [0, 20, 40, 45])
    next(tmp_path.rglob("00001.safetensors")).unlink()
    ran, read = told_by(lambda **told: run_jobs([job], work=tmp_path, **told))
    assert (ran, read) == ([30, 40, 40, 45], [0, 20, 45])
    ran, read = told_by(lambda **told: score_job(job, work=tmp_path, **told))
    assert (ran, read) == ([10, 20, 20, 30, 40, 40, 45, 45], [])
    ran, read = told_by(lambda **told: score_job(job, work=tmp_path, **told))
    assert (ran, read) == ([], [20, 40, 45])


def test_a_scoring_reads_in_the_order_on_disk_and_keeps_numbers_only(tmp_path):
    from arcal.audits import score_job

    examples, read = tiny.examples(60), []

    def noted(positions):
        read.append(positions.tolist())
        return examples.read(positions)

    job = Job("tiny", tiny.Brightness(), replace(examples, part=None, read=noted))
    scores = score_job(job, work=tmp_path, progress=lambda done, total: None)
    inputs = read[-3:]  # after what is asked of the model first
    assert [i for positions in inputs for i in positions] == list(range(60))
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) == 3
    columns = {name for file in files for name in pq.read_schema(file).names}
    assert columns == {"id", "robustness", "success", "predicted", "label", "passes"}
    audited = by_id(joined(list(in_blocks(tiny.Brightness(), examples, Settings()))))
    assert scores.ids.tolist() == audited["ids"].tolist()
    assert torch.allclose(scores.robustness, audited["robustness"], rtol=1e-3)
