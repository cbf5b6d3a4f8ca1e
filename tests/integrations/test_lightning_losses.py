"""Losses of the callback that a module does not take as expected."""
# pyright: reportMissingImports=false

import pytest
import torch
from torch import nn
from torch.nn import functional as F

pytest.importorskip("pytorch_lightning", reason="the extra `lightning` is not installed")

from lightning_run import Net, fit
from toy import CLASSES

from arcal import ArcalError
from arcal.integrations.lightning import RobustSmoothing

pytestmark = pytest.mark.filterwarnings("ignore")  # advice for larger trainings


class OwnLoss(Net):
    """Training by a loss of its own, in all epochs or from one on."""

    def __init__(self, begin=0):
        super().__init__()
        self.begin = begin

    def training_step(self, batch, index):
        if self.current_epoch < self.begin:
            return super().training_step(batch, index)
        _, x, y = batch
        return F.cross_entropy(self(x), y)


@pytest.mark.parametrize("begin", [0, 1])
@pytest.mark.parametrize(
    ("added", "says"),
    [
        (None, "return the module's CrossEntropyLoss in training_step"),
        ({"entropy": 0.1}, r"return smoothing\.augmented_loss\(self, ids, x, labels\) in"),
    ],
)
def test_training_by_another_loss_is_refused(begin, added, says, tmp_path):
    if added and begin:
        says = "training_step calls the CrossEntropyLoss itself"
    with pytest.raises(ArcalError, match=says) as caught:
        fit(tmp_path, 3, module=OwnLoss(begin), settings={"added": added})
    assert "\n" not in str(caught.value)


def test_a_loss_that_only_some_steps_take_is_enough(tmp_path):
    class Now(Net):
        def training_step(self, batch, index):
            return super().training_step(batch, index) if index % 3 == 0 else None

    _, smoothing, _ = fit(tmp_path, 2, module=Now())
    assert smoothing.loss.epoch == 2


@pytest.mark.parametrize("precision", ["32-true", "bf16-true"])
def test_class_weights_count_before_there_are_levels(precision, tmp_path):
    weight = torch.tensor([1.0, 2.0, 4.0])
    settings = {"vanilla": 1, "order": "margin"}
    weighted, _, _ = fit(tmp_path, 2, module=Net(weight), settings=settings, precision=precision)
    plain, _, _ = fit(tmp_path, 2, settings=settings, precision=precision)
    assert weighted.losses[0] != pytest.approx(plain.losses[0], rel=1e-3)


def test_class_weights_may_be_of_another_type_than_the_loss():
    smoothing, weight = RobustSmoothing(CLASSES, vanilla=1), torch.tensor([1.0, 2.0, 4.0])
    logits, labels, ids = torch.randn(4, CLASSES), torch.tensor([0, 1, 2, 1]), torch.arange(4)
    expected = nn.CrossEntropyLoss(weight)(logits, labels)
    for one in (weight.bfloat16(), weight.double()):
        assert smoothing.soft_loss(logits, labels, ids, one).equal(expected)
