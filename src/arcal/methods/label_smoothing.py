"""Label smoothing (Szegedy et al. 2016): one fixed epsilon for every example."""

from typing import Annotated

from torch import Tensor

from arcal.methods.method import Method
from arcal.methods.setting import Setting
from arcal.smoothing import smooth_cross_entropy

PAPER_GRID = tuple(round(0.01 * i, 2) for i in range(11))
"""The sweep of appendix A: epsilon from 0 to 0.1 in steps of 0.01, chosen on validation data."""


class LabelSmoothing(Method):
    """Cross-entropy with the soft labels of Eq. 1 and the same `epsilon`, in [0, 1), for all.

    >>> import torch
    >>> ids, labels = torch.tensor([7]), torch.tensor([0])
    >>> method = LabelSmoothing(2, epsilon=0.1)
    >>> method.criterion(torch.tensor([[10.0, 0.0]]), ids, labels)  # 0.1 / 2 x 10
    tensor(0.5000)
    """

    name = "label-smoothing"
    title = "Label smoothing"
    about = "every label gives away the same share ε to all classes"
    place = 20

    def __init__(
        self,
        Z: int,
        *,
        epsilon: Annotated[float, Setting("the smoothing", symbol="ε", at_least=0, below=1)] = 0.05,
    ):
        super().__init__()
        self.epsilon = epsilon

    def criterion(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        return smooth_cross_entropy(logits, labels, self.epsilon)
