"""The loop: determinism, resume, lockstep members, several processes."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from arcal.compute.fabric import Fabric
from arcal.data import Folder, as_input
from arcal.errors import ArcalError
from arcal.methods import AdaLS, ARAdaLS, Vanilla
from arcal.networks import build
from arcal.ranks import levels
from arcal.store import RunFolder, load_tensors
from arcal.training._fit import Member, fit
from arcal.training._sharing import BatchesShared
from arcal.training.draws import draw
from arcal.training.recipes import RECIPES
from launching import on_two_processes

pytestmark = pytest.mark.processor

RECIPE = replace(RECIPES["demo"].shortened(3), batch_size=32, augmentation="crop-flip")


def members(seeds=(0,), dropout=False):
    found = []
    for seed in seeds:
        model = build("small", classes=4, shape=(1, 28, 28), generator=draw(seed, "init"))
        model = nn.Sequential(nn.Dropout(0.1), model) if dropout else model
        found.append(Member(model, seed))
    return found


def levelled(data, method):
    method.smoothing.soft_label.fill_(0.7)  # free to move both ways
    for part, name in ((data.train, "train"), (data.validation, "validation")):
        method.assign(name, part.ids, torch.arange(len(part)) % method.R)
    return method


def run(data, method, seeds=(0,), recipe=RECIPE, folder=None, dropout=False, fabric=None, **kwargs):
    trained = members(seeds, dropout)
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    records = fit(
        trained, method, recipe, data.train, data.validation, fabric=fabric, folder=folder, **kwargs
    )
    return [member.model.state_dict() for member in trained], records


def assert_same(a, b):
    for one, other in zip(a, b, strict=True):
        for name in one:
            assert torch.equal(one[name], other[name]), name


def without_time(records):
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


def test_a_seed_gives_the_same_bits_and_leaves_the_global_generator(data):
    before = torch.get_rng_state()
    first, records = run(data, AdaLS(4, alpha=0.5), dropout=True)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    second, again = run(data, AdaLS(4, alpha=0.5), dropout=True)
    assert_same(first, second)
    assert without_time(records) == without_time(again)
    other, _ = run(data, AdaLS(4, alpha=0.5), seeds=(1,), dropout=True)
    name = "1.classifier.weight"
    assert not torch.equal(first[0][name], other[0][name])


def test_a_core_s_share_of_the_batch_is_what_batch_norm_sees(data):
    """The loop by hand: gradients of 20, 20 and 8 of a batch add up to that of its mean loss."""
    sgd = {"optimizer": "sgd", "learning_rate": 0.1}  # Adam would magnify what kernels round
    recipe = replace(RECIPE, epochs=1, batch_size=48, core_batch=20, augmentation="none", **sgd)
    ((ours,), _) = run(data, Vanilla(4), recipe=recipe)
    model: Any = members()[0].model.to(memory_format=torch.channels_last)
    optimizer = recipe.optimizer_for(model)
    order = torch.randperm(len(data.train), generator=draw(0, "order", 1))
    for batch in order.split(48):
        optimizer.zero_grad()
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.momentum = 1 - 0.9 ** (1 / len(batch.split(20)))
        for some in batch.split(20):
            x = as_input(data.train.images(some), "cpu")
            loss = F.cross_entropy(model(x), data.train.labels[some], reduction="sum")
            (loss / len(batch)).backward()
        optimizer.step()
    for name, expected in model.state_dict().items():
        torch.testing.assert_close(ours[name], expected, rtol=1e-3, atol=1e-4)
    ((whole,), _) = run(data, Vanilla(4), recipe=replace(recipe, core_batch=None))
    assert (whole["classifier.weight"] - ours["classifier.weight"]).abs().max() > 1e-3


def test_running_statistics_move_once_a_step_however_many_cores_share_it(data):
    """Of 48 equal images, so that each share has the statistics of the batch."""
    same = data.train.subset(data.train.ids[:48])
    same = replace(same, pixels=same.pixels[:1].repeat(48, 1, 1, 1))
    recipe = replace(RECIPE, epochs=1, batch_size=48, augmentation="none")
    found = []
    for core_batch in (None, 20):
        (member,) = members()
        fabric = Fabric(accelerator="cpu", devices=1)
        of_cores = replace(recipe, core_batch=core_batch)
        fit([member], Vanilla(4), of_cores, same, data.validation, fabric=fabric)
        norms = [norm for norm in member.model.modules() if isinstance(norm, nn.BatchNorm2d)]
        found.append(norms[0].running_mean)
        assert {norm.momentum for norm in norms} == {0.1}, "it is left as it was"
    assert found[0].abs().max() > 1e-3
    torch.testing.assert_close(found[1], found[0])


def test_a_folder_is_cropped_as_it_is_read(tmp_path):
    """Each epoch otherwise, and alike however many processes read it."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 40, 50, 3), np.uint8)
    for i, image in enumerate(pixels):
        path = tmp_path / f"n{i % 2}" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    part, seen = Folder(tmp_path, size=28), []

    class Keeps(Vanilla):
        def loss(self, model, ids, x, labels):
            seen.append(x[ids.argsort()])
            return super().loss(model, ids, x, labels)

    model = build("small", classes=2, shape=(3, 28, 28), generator=draw(0, "init"))
    recipe = replace(RECIPE, epochs=2, augmentation="resized-crop-flip")
    fabric = Fabric(accelerator="cpu", devices=1)
    fit([Member(model, 0)], Keeps(2), recipe, part, part, fabric=fabric)
    for epoch, x in enumerate(seen, start=1):
        expected = part.at_random(draw(0, "augmentation", epoch)).images(part.ids)
        torch.testing.assert_close(x, as_input(expected, "cpu"))
    assert not torch.equal(*seen)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("seeds", [(0,), (3, 4)])
def test_a_run_cut_short_continues_exactly(data, tmp_path, seeds):
    class CutShort(ARAdaLS):
        def learn(self, ids, confidence, correct):
            learned = super().learn(ids, confidence, correct)
            if int(self.smoothing.epoch) == 2:
                raise KilledError
            return learned

    settings = {"alpha": 2.0, "R": 3}
    whole, records = run(data, levelled(data, ARAdaLS(4, **settings)), seeds, dropout=True)
    folder = RunFolder.create(tmp_path, "toy", {})
    with pytest.raises(KilledError):
        run(data, levelled(data, CutShort(4, **settings)), seeds, folder=folder, dropout=True)
    assert load_tensors(folder.checkpoint)[1]["epoch"] == 1
    method = levelled(data, ARAdaLS(4, **settings))
    continued, again = run(data, method, seeds, folder=folder, dropout=True)
    assert_same(whole, continued)
    assert without_time(records) == without_time(again) == without_time(folder.epochs())
    assert len({tuple(record["epsilon"]) for record in records}) == 3, "the labels must move"


def test_lockstep_members_share_labels_and_average_probabilities(data):
    method = levelled(data, ARAdaLS(4, alpha=2.0, R=2))
    together, records = run(data, method, (0, 1))
    models = members((0, 1))
    for member, state in zip(models, together, strict=True):
        member.model.load_state_dict(state)
        member.model.eval()
    x = data.validation.pixels.float() / 255
    with torch.no_grad():
        mean = sum(member.model(x).double().softmax(1) for member in models) / 2
    assert isinstance(mean, torch.Tensor)
    confidence, predicted = mean.max(dim=1)
    assert records[-1]["accuracy"] == pytest.approx(
        float((predicted == data.validation.labels).double().mean())
    )
    levels = torch.arange(51) % 2
    correct = (predicted == data.validation.labels).double()
    expected = [float((confidence - correct)[levels == r].mean()) for r in range(2)]
    assert records[-1]["gap"] == pytest.approx(expected, abs=1e-5)


def test_rescoring_recuts_the_levels_and_survives_a_restart(data, tmp_path):
    asked = []

    def rescore(models, part, at):
        asked.append((len(models), part.name))
        return torch.stack([-part.ids[at].float() - m for m, _ in enumerate(models)])

    def on_the_fly():
        return levelled(data, ARAdaLS(4, R=3, rescore=[0.5]))

    ids = data.train.ids
    expected = levels(-ids.float(), ids, 3)[ids.argsort()]
    method, folder = on_the_fly(), RunFolder.create(tmp_path, "toy", {})
    before = method.smoothing.train_levels.levels.clone()
    _, records = run(
        data, method, (0, 1), recipe=RECIPE.shortened(2), rescore=rescore, folder=folder
    )
    assert asked == [(2, "tiny/train"), (2, "tiny/validation")]
    assert torch.equal(method.smoothing.train_levels.levels, expected)
    assert not torch.equal(before, expected)
    assert "rescoring_seconds" in records[0]
    assert "rescoring_seconds" not in records[1]
    restored = on_the_fly()
    run(data, restored, (0, 1), recipe=RECIPE.shortened(2), rescore=rescore, folder=folder)
    assert torch.equal(restored.smoothing.train_levels.levels, expected)
    with pytest.raises(ArcalError, match="give fit a scorer"):
        run(data, on_the_fly(), recipe=RECIPE.shortened(2))
    with pytest.raises(ArcalError, match="there are 4 epochs"):
        run(data, ARAdaLS(4, R=3, rescore=[4]), recipe=RECIPE.shortened(4))


def test_a_diverging_run_says_so(data):
    with pytest.raises(ArcalError, match="lower the learning rate"):
        run(data, Vanilla(4), recipe=replace(RECIPE, learning_rate=1e30))


def test_a_checkpoint_of_another_run_is_refused(data, tmp_path):
    """Of the same network, so that nothing else would tell."""
    folders = [RunFolder.create(tmp_path, f"s{seed}", {"seed": seed}) for seed in (0, 1)]
    for folder in folders:
        run(data, Vanilla(4), folder=folder, recipe=RECIPE.shortened(1))
    folders[0].checkpoint.write_bytes(folders[1].checkpoint.read_bytes())
    with pytest.raises(ArcalError, match=f"belongs to the run {folders[1].digest}, not to this"):
        run(data, Vanilla(4), folder=folders[0])


def test_a_checkpoint_of_another_network_is_refused(data, tmp_path):
    run(data, Vanilla(4), folder=RunFolder.create(tmp_path, "toy", {}), recipe=RECIPE.shortened(1))
    with pytest.raises(ArcalError, match="another network or method"):
        run(data, Vanilla(4), folder=RunFolder.create(tmp_path, "toy", {}), dropout=True)


@pytest.mark.parametrize("N", [1, 3, 4, 5])
def test_every_process_has_as_many_images_of_however_few(N):
    """One without any would meet none of the others, who wait for it."""
    order = torch.arange(N).flip(0)
    fabrics: list[Any] = [SimpleNamespace(global_rank=rank, world_size=4) for rank in range(4)]
    shares = [BatchesShared(fabric, 1).positions(order) for fabric in fabrics]
    assert {len(share) for share in shares} == {-(-N // 4)}
    dealt = torch.stack(shares, dim=1).flatten()
    assert torch.equal(dealt[:N], order)
    assert set(dealt.tolist()) == set(order.tolist())


@pytest.mark.slow
def test_processes_compute_the_same_soft_labels_as_one(tmp_path):
    from two_processes import validated

    on_two_processes(Path(__file__).with_name("two_processes.py"), tmp_path)
    two = [json.loads((tmp_path / str(rank)).read_text()) for rank in range(2)]
    alone = json.loads(json.dumps(validated(Fabric(accelerator="cpu", devices=1))))
    assert two[0] == two[1], "after an epoch of training all processes must agree"
    for measures, expected in zip(two[0][0], alone[0], strict=True):  # of batches of other shapes
        assert measures.keys() == expected.keys()
        for name, value in measures.items():
            assert value == pytest.approx(expected[name], abs=1e-5), name
