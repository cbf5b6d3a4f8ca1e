"""Blocks that others do, in any order, are the blocks that would be done here."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from arcal.attacks import BoundaryProjection
from arcal.audits import (
    Job,
    NamedData,
    NamedModel,
    Settings,
    engine,
    open_job,
    run_jobs,
    score_job,
    with_perturbed,
    with_views,
)
from arcal.compute.sharing import error_of
from arcal.errors import ArcalError
from tests.audits import tiny

pytestmark = pytest.mark.processor

CODE = """
import torch

class Brightness(torch.nn.Module):
    def forward(self, x):
        lead = 8 * (x.mean((1, 2, 3)) - 0.5)
        return torch.stack([-lead, lead], dim=1)

net = Brightness().eval()
"""
SETTINGS = Settings(attack=BoundaryProjection(budget=16), batch=7)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engine, "BLOCK", 20)
    monkeypatch.setattr(engine.console, "quiet", False)  # restored at the end
    engine._latest.clear()
    (tmp_path / "net.py").write_text(CODE)
    write("data.npz", tiny.part(90))
    write("other.npz", tiny.part(40, noise=0.3))


def write(name, part):
    labels = part.labels.numpy()
    np.savez(name, images=part.pixels.numpy(), labels=labels, ids=part.ids.numpy())


def job(**options) -> Job:
    model, data = NamedModel("net.py:net"), NamedData("data.npz", **options)
    return open_job(model, data, SETTINGS, name="tiny", panel=None, R=3)


class Backwards:
    """Does all pieces here, the last one first, as another process would: of what was sent."""

    def __init__(self):
        self.done: list[str] = []

    def __call__(self, do, items, folder):
        sent = pickle.dumps(do)
        for item in reversed([*items]):
            assert item[0].parent == folder
            if (error := error_of(sent, item, torch.device("cpu"))) is not None:
                raise error
            self.done.append(item[0].name)
            yield item


def nothing(done, total): ...


def test_scores_are_the_same_in_any_order_and_what_is_there_is_not_done_again():
    alone = score_job(job(), progress=nothing)
    sharing, told = Backwards(), []
    score_job(job(), work=Path("work"), progress=nothing)
    (gone,) = Path("work").rglob("00001.parquet")
    gone.unlink()
    whole = score_job(job(), work=Path("work"), progress=nothing, sharing=sharing)
    assert sharing.done == ["00001.parquet"]
    again = score_job(
        job(), work=Path("new"), progress=lambda done, total: told.append(done), sharing=sharing
    )
    assert sharing.done[1:] == [f"{number:05}.parquet" for number in (4, 3, 2, 1, 0)]
    assert told == [20, 20, 40, 40, 60, 60, 80, 80, 90, 90], "each is done here or elsewhere"
    for scores in (whole, again):
        for name, column in vars(alone).items():
            if isinstance(column, torch.Tensor):
                assert torch.equal(getattr(scores, name), column), name
    for file in Path("new").rglob("*.parquet"):
        assert (Path("work") / file.relative_to("new")).read_bytes() == file.read_bytes()


def test_an_audit_is_the_same_with_all_that_belongs_to_it():
    options = {"validation": "other.npz", "other": ["other.npz"]}
    (alone,) = run_jobs([job(**options)], work=Path("alone"))
    sharing = Backwards()
    (ours,) = run_jobs([job(**options)], work=Path("work"), sharing=sharing)
    assert len(sharing.done) == 5 + 2, "one set of predictions is validation and other data"
    assert ours.validation is not None
    assert alone.validation is not None
    assert torch.equal(ours.validation.logits, alone.validation.logits)
    assert {name: list(value) for name, value in ours.inputs.items()} == {
        name: list(value) for name, value in alone.inputs.items()
    }
    assert ours.shifted.keys() == alone.shifted.keys()
    for where, predictions in alone.shifted.items():
        assert torch.equal(ours.shifted[where].logits, predictions.logits)
    assert ours.perturbed is not None
    assert alone.perturbed is not None
    assert torch.equal(ours.perturbed.inputs, alone.perturbed.inputs)


@pytest.mark.parametrize("change", [with_views, with_perturbed])
def test_views_and_perturbed_images_are_made_by_the_others_as_well(change):
    changed = change(job(limit=50))
    assert changed.examples is not None
    alone = changed.predictions(changed.examples)
    sharing = Backwards()
    ours = replace(changed, work=Path("work"), sharing=sharing).predictions(changed.examples)
    assert len(sharing.done) == 3
    assert torch.equal(ours.logits, alone.logits)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda: write("data.npz", tiny.part(91)), "the data was changed in the meantime: run the"),
        (lambda: Path("net.py").write_text(CODE + "\n\n"), "tiny was changed in the meantime"),
        (lambda: Path("net.py").unlink(), "net.py is missing"),
    ],
)
def test_what_is_changed_before_another_process_opens_it_is_refused(change, line):
    opened = job()
    change()
    with pytest.raises(ArcalError, match=line):
        score_job(opened, work=Path("work"), progress=nothing, sharing=Backwards())
    assert not list(Path("work").rglob("*.parquet"))


def test_weights_that_are_drawn_by_each_process_are_said_to_be():
    drawn = "model.p = torch.nn.Parameter(torch.rand(3))"
    build = f"def net():\n    model = Brightness().eval()\n    {drawn}"
    code = CODE.replace("net = Brightness().eval()", f"{build}\n    return model")
    Path("net.py").write_text(code)
    with pytest.raises(
        ArcalError, match=r"a different model in each process .* drawn anew each time"
    ):
        score_job(job(), work=Path("work"), progress=nothing, sharing=Backwards())
