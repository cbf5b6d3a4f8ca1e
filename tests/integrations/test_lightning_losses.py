"""Losses of the callback that a module does not take as expected."""
# pyright: reportMissingImports=false

import pytest
from torch.nn import functional as F

pytest.importorskip("pytorch_lightning", reason="the extra `lightning` is not installed")

from lightning_run import Net, fit

from arcal import ArcalError

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
