"""Focal loss with the sample-dependent gamma FLSD-53 (Mukhoti et al., NeurIPS 2020)."""

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.methods.method import Method
from arcal.methods.setting import Setting


class Focal(Method):
    """Cross-entropy that gives less weight to well predicted examples (Lin et al. 2017).

        L = -(1 - p_y)^gamma log p_y,   gamma = 5 where p_y < 0.2, else 3

    p_y is the predicted probability of the true class. This gamma is FLSD-53, which Mukhoti et al.
    found to calibrate best; a number given as `gamma` is used for all examples, and 0 is vanilla.
    Gamma counts as a constant in the gradient. The loss is computed in float32 or better.

    >>> ids, labels = torch.tensor([7]), torch.tensor([0])
    >>> Focal(2).criterion(torch.tensor([[0.0, 0.0]]), ids, labels)  # 0.5^3 log 2
    tensor(0.0866)
    """

    name = "focal"
    title = "Focal loss"
    about = "cross-entropy that gives less weight to what is predicted well already"
    place = 25

    def __init__(
        self,
        Z: int,
        *,
        gamma: Annotated[
            float | None,
            Setting(
                "how fast the weight falls, the same for all; by default that of FLSD-53: 5 "
                "where the true class has a probability below 0.2, else 3",
                symbol="γ",
                at_least=0,
            ),
        ] = None,
    ):
        super().__init__()
        self.gamma = gamma

    def criterion(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        surprise = F.cross_entropy(logits, labels, reduction="none")
        flsd_53 = 3 + 2 * ((-surprise).exp() < 0.2)
        gamma = flsd_53 if self.gamma is None else self.gamma
        wrong = -torch.expm1(-surprise)  # 1 - p_y, whose power has no gradient at 0 below gamma 1
        return (wrong.clamp(min=torch.finfo(wrong.dtype).tiny) ** gamma * surprise).mean()
