"""The callback in Lightning's own loop, on one process and two."""
# pyright: reportMissingImports=false

from pathlib import Path

import pytest
import torch
from on_two_processes import check_two_processes
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

pytest.importorskip("pytorch_lightning", reason="the extra `lightning` is not installed")

from lightning_run import Net, fit, loaders
from pytorch_lightning import Trainer
from toy import (
    LEVELS,
    TRAIN,
    train_data,
    validation_data,
    vanilla,
)

from arcal import ArcalError, levels, score, smooth_cross_entropy
from arcal.data import WithIds

pytestmark = pytest.mark.filterwarnings("ignore")  # advice for larger trainings


def levels_by(model, dataset):
    """The levels of a data set by the order of the margin."""
    x, y = dataset.tensors
    scores = score(model, [(torch.arange(len(x)), x, y)], "margin")
    return levels(scores.robustness, scores.ids, LEVELS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Four epochs as they come."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, *fit(folder)


def test_soft_labels_follow_the_whole_validation_set_once_an_epoch(whole):
    _, module, smoothing, shadow = whole
    assert smoothing.loss.epoch == 4
    assert smoothing.loss.soft_label.tolist() == pytest.approx(shadow.soft_label, abs=1e-6)
    assert smoothing.loss.soft_label.min() < 0.9
    assert type(module.criterion) is nn.CrossEntropyLoss  # as it was


def test_the_loss_is_that_of_the_soft_labels(tmp_path):
    """Each batch's by the formula, from the soft labels as they are then; with weights."""
    expected, weight = [], torch.tensor([1.0, 2.0, 0.5])

    class Watched(Net):
        def training_step(self, batch, index):
            ids, x, y = batch
            smoothing = self.trainer.callbacks[0]  # pyright: ignore
            epsilon = smoothing.loss.epsilon[levels_by(vanilla(), train_data())[ids]].float()
            loss = smooth_cross_entropy(self(x), y, epsilon, weight)
            expected.append(float(loss.detach()))
            return super().training_step(batch, index)

    module, smoothing, _ = fit(tmp_path, 3, module=Watched(weight))
    assert smoothing.loss.soft_label.min() < 1
    assert module.losses == pytest.approx(expected, rel=1e-5)
    assert [name for name in module.state_dict() if "criterion" in name] == ["criterion.weight"]


@pytest.mark.parametrize("trainer", [{"num_sanity_val_steps": 0}, {"val_check_interval": 5}])
def test_neither_sanity_check_nor_further_validations_count(whole, trainer, tmp_path):
    """Of 12 batches: the last validation of an epoch comes after 10."""
    _, _, smoothing, _ = whole
    _, again, _ = fit(tmp_path, **trainer)
    assert again.loss.epoch == 4
    same = again.loss.soft_label.tolist() == smoothing.loss.soft_label.tolist()
    assert same == ("num_sanity_val_steps" in trainer)


def test_the_model_itself_ranks_after_some_epochs(tmp_path):
    alone, smoothing, _ = fit(tmp_path / "2", 2, settings={"vanilla": 1, "alpha": "auto"})
    assert smoothing.loss.epoch == 1
    assert smoothing.loss.length == (1, 1)
    first, _, _ = fit(tmp_path / "1", 1)  # plain cross-entropy for an epoch: labels start at 1
    expected = levels_by(first, train_data())
    assert smoothing.loss.train_levels.levels.tolist() == expected.tolist()
    assert not torch.equal(expected, levels_by(alone, train_data()))


def test_levels_are_cut_anew_on_the_fly(whole, tmp_path):
    _, smoothing, _ = fit(tmp_path, 3, settings={"rescore": [2]})
    two, _, _ = fit(tmp_path, 2)
    assert smoothing.loss.epoch == 3
    assert smoothing.loss.train_levels.levels.tolist() == levels_by(two, train_data()).tolist()


def test_a_checkpoint_of_the_vanilla_module_ranks(tmp_path):
    module, _, _ = fit(tmp_path, 1)
    before = [w.clone() for w in module.parameters()]
    path = next(tmp_path.rglob("*.ckpt"))
    again = Net()
    _, smoothing, _ = fit(tmp_path, 1, module=again, settings={"vanilla": path})
    assert smoothing.loss.train_levels.levels.tolist() == levels_by(module, train_data()).tolist()
    for w, expected in zip(again.parameters(), before, strict=True):
        assert torch.equal(w, expected)  # trained from its own weights, as the other was


def test_a_run_that_was_cut_short_ends_in_the_same_soft_labels(whole, tmp_path):
    _, module, smoothing, _ = whole
    fit(tmp_path, 2)
    path = next(tmp_path.rglob("*.ckpt"))
    resumed, again, _ = fit(tmp_path / "2", 4, resume=path, settings={"vanilla": nn.Linear(4, 3)})
    assert again.loss.soft_label.tolist() == smoothing.loss.soft_label.tolist()
    for w, expected in zip(resumed.parameters(), module.parameters(), strict=True):
        assert torch.equal(w, expected)


def test_a_callback_used_again_forgets_the_training_before(tmp_path):
    _, smoothing, _ = fit(tmp_path, 2)
    others = DataLoader(WithIds(Subset(train_data(), range(80))), 8)
    trainer = Trainer(max_epochs=1, callbacks=[smoothing], default_root_dir=tmp_path / "again")
    trainer.fit(Net(), others, loaders()["val_dataloaders"])
    _, fresh, _ = fit(tmp_path, 1, data=loaders() | {"train_dataloaders": others})
    assert smoothing.loss.epoch == 1
    assert smoothing.loss.train_levels.ids.tolist() == list(range(80))
    assert smoothing.loss.soft_label.tolist() == fresh.loss.soft_label.tolist()


def test_the_attack_ranks_batches_that_are_dicts(tmp_path):
    class Dicts(Dataset):
        def __init__(self, data):
            self.data = data

        def __len__(self):
            return len(self.data)

        def __getitem__(self, i):
            x, y = self.data[i]
            return {"x": x, "label": y, "number": 10 * i}

    class OfDicts(Net):
        def training_step(self, batch, index):
            return self.criterion(self(batch["x"]), batch["label"])

        def validation_step(self, batch, index, dataloader_idx=0):
            self.training_step(batch, index)

    data = {
        "train_dataloaders": DataLoader(Dicts(train_data()), 8),
        "val_dataloaders": [DataLoader(Dicts(validation_data()), 8), DataLoader(Dicts([]), 8)],
    }
    settings = {"order": "attack", "ids": "number"}
    _, smoothing, _ = fit(tmp_path, 1, module=OfDicts(), data=data, settings=settings)
    assert smoothing.loss.epoch == 1
    x, y = train_data().tensors
    scores = score(vanilla(), [(torch.arange(TRAIN), x, y)])
    expected = levels(scores.robustness, scores.ids, LEVELS)
    assert (smoothing.loss.train_levels.levels != expected).float().mean() < 0.1  # a quicker one


def test_a_module_in_half_precision_is_ranked_in_single(tmp_path):
    settings = {"order": "attack", "vanilla": vanilla().bfloat16()}
    module, half, _ = fit(tmp_path, 2, settings=settings, precision="bf16-true")
    assert {one.dtype for one in module.network.parameters()} == {torch.bfloat16}
    assert {one.dtype for one in settings["vanilla"].parameters()} == {torch.bfloat16}
    settings = {"order": "attack", "vanilla": vanilla().bfloat16().float()}
    _, single, _ = fit(tmp_path, 2, settings=settings)
    assert half.loss.train_levels.levels.equal(single.loss.train_levels.levels)
    _, own, _ = fit(tmp_path, 2, settings={"vanilla": 1, "order": "attack"}, precision="bf16-true")
    assert own.ranked


class Without(Net):
    def __init__(self):
        super().__init__()
        self.criterion = nn.Identity()


class Ignores(Net):
    def __init__(self):
        super().__init__()
        self.criterion = nn.CrossEntropyLoss(ignore_index=1)


class Numbered(Dataset):
    """Training data whose ids start anew, as those of a second file may."""

    def __len__(self):
        return TRAIN

    def __getitem__(self, i):
        return i % 50, *train_data()[i]


class Silent(Net):
    def validation_step(self, batch, index, dataloader_idx=0):
        pass


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"data": {"train_dataloaders": DataLoader(train_data(), 8),
                   "val_dataloaders": DataLoader(WithIds(validation_data()), 8)}},
         "arcal.data.WithIds"),
        ({"module": Without()}, "has no nn.CrossEntropyLoss"),
        ({"data": {"train_dataloaders": DataLoader(Numbered(), 8),
                   "val_dataloaders": DataLoader(WithIds(validation_data()), 8)}},
         "id 0 occurs twice"),
        ({"module": Ignores()}, "ignore_index 1: leave it out"),
        ({"module": Silent()}, "no validation step called"),
        ({"check_val_every_n_epoch": 2}, "leave it at 1"),
        ({"settings": {"vanilla": "nowhere.ckpt"}}, "cannot be read"),
        ({"settings": {"vanilla": 4}}, "name an earlier epoch"),
        ({"settings": {"vanilla": None}}, "give vanilla="),
        ({"settings": {"alpha": "auto"}, "max_epochs": -1, "max_steps": 5}, "max_epochs"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(arguments, says, tmp_path):
    with pytest.raises(ArcalError, match=says) as caught:
        fit(tmp_path, **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_two_processes_learn_from_all_and_continue_when_killed(tmp_path):
    """DDP with accumulation, in bf16: one run as it is, and one that is killed and continued."""
    program = Path(__file__).with_name("lightning_run.py")
    check_two_processes(program, tmp_path, epochs=4)
