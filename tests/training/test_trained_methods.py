"""Methods in the loop: draws survive a restart, and the example in the docs trains."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_data import tiny_data

from arcal.compute.device import fabric_on
from arcal.errors import ArcalError
from arcal.methods import METHODS, complete_settings, method_named
from arcal.networks import build
from arcal.store import RunFolder, load_tensors
from arcal.training._fit import Member, fit
from arcal.training.draws import draw
from arcal.training.recipes import RECIPES
from arcal.training.run import Run

DOCUMENT = Path(__file__).parents[2] / "docs" / "methods.md"


def trained(data, name, settings, epochs=2, folder=None, precision="32-true"):
    """The weights and records of a small network trained by a method."""
    method = method_named(name, 4, complete_settings(name, settings))
    if method.ranks:
        for part, called in ((data.train, "train"), (data.validation, "validation")):
            method.assign(called, part.ids, torch.arange(len(part)) % method.R)
    if method.added.perturbed_by is not None:
        method.assign_distances(data.train.ids, torch.linspace(0.1, 1, len(data.train)))
    model = build("small", classes=4, shape=(1, 28, 28), generator=draw(0, "init"))
    recipe = replace(RECIPES["demo"].shortened(epochs), batch_size=32)
    fabric = fabric_on("cpu", precision)
    parts = data.train, data.validation
    records = fit([Member(model, 0)], method, recipe, *parts, fabric=fabric, folder=folder)
    for record in records:
        record.pop("seconds")
    return model.state_dict(), records


@pytest.fixture(scope="module")
def plain():
    """The weights that vanilla training gives."""
    return trained(tiny_data(), "vanilla", {})[0]


class KilledError(Exception):
    pass


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("ar-adals", {"R": 2, "alpha": 2.0, "order": "gradient", "mixup": 0.2}),
        ("ccat", {"iterations": 2}),
        ("vanilla", {"perturbed": 0.5, "perturbed_by": "gradient"}),
        ("focal", {}),
        (
            "ar-adals",
            {"R": 2, "alpha": 2.0, "order": "gradient", "noise": 0.1, "perturbed": 0.15}
            | {"augmix": 12.0, "regmixup": 20.0, "entropy": 0.1, "mbls": 6.0},
        ),
        ("ccat", {"iterations": 2, "noise": 0.1, "augmix": 0.0}),
    ],
)
def test_a_run_cut_short_draws_what_it_would_have(
    data, plain, tmp_path, monkeypatch, name, settings
):
    whole, records = trained(data, name, settings)
    folder, learn, calls = RunFolder.create(tmp_path, "toy", {}), METHODS[name].learn, []

    def learn_once(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KilledError
        return learn(*given)

    with monkeypatch.context() as patch:
        patch.setattr(METHODS[name], "learn", learn_once)
        with pytest.raises(KilledError):
            trained(data, name, settings, folder=folder)
    assert load_tensors(folder.checkpoint)[1]["epoch"] == 1
    continued, again = trained(data, name, settings, folder=folder)
    for parameter in whole:
        assert torch.equal(whole[parameter], continued[parameter]), parameter
    assert records == again
    assert any(not torch.equal(whole[parameter], plain[parameter]) for parameter in whole)


def test_what_is_added_trains_in_half_as_in_full_precision(data):
    added = {"noise": 0.1, "perturbed": 0.15, "augmix": 12.0, "entropy": 0.1, "mbls": 6.0}
    _, (exact,) = trained(data, "focal", added, epochs=1)
    _, (half,) = trained(data, "focal", added, epochs=1, precision="bf16-mixed")
    assert half["loss"] != exact["loss"]
    assert half["loss"] == pytest.approx(exact["loss"], rel=0.1)


def test_the_new_method_of_the_docs_trains(data, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (file,) = (block for block in blocks if "class PolyLoss" in block)
    assert len(file.splitlines()) <= 35
    namespace: dict[str, Any] = {}
    exec(file, namespace)
    name = namespace["PolyLoss"].name
    monkeypatch.setitem(METHODS, name, namespace["PolyLoss"])
    _, vanilla = trained(data, "vanilla", {}, epochs=1)
    _, unweighted = trained(data, name, {"weight": 0.0}, epochs=1)
    assert unweighted[0]["loss"] == pytest.approx(vanilla[0]["loss"], rel=1e-3)
    _, (record,) = trained(data, name, {}, epochs=1)
    assert record["loss"] > vanilla[0]["loss"]
    run = Run(method=name, settings={"mixup": 0.2})
    assert run.settings == {"weight": 1.0, "mixup": 0.2}
    with pytest.raises(ArcalError, match="weight is -1: it must be at least 0"):
        Run(method=name, settings={"weight": -1})
