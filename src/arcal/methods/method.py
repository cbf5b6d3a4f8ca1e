"""What a training method is: how a batch becomes a loss, and what an epoch teaches it."""

from typing import Any, ClassVar

from torch import Tensor, nn


class Method(nn.Module):
    """Base of every method, and the plain one's behaviour.

    A method is built as `SomeMethod(Z, **settings)`; its settings are the keyword arguments of its
    constructor. What it must save to continue goes into buffers. It knows neither the loop nor the
    disk: the loop hands it batches, validation predictions and levels.
    """

    ranks: ClassVar[bool] = False
    """Whether it needs the training and validation sets cut into robustness levels."""

    R: int = 1
    """Number of those levels."""

    @classmethod
    def completed(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings with all defaults, those that depend on others included; nonsense raises."""
        return settings

    def loss(self, model: nn.Module, ids: Tensor, x: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch: ids and labels int64 `(B,)`, images `(B, C, H, W)` in [0, 1]."""
        raise NotImplementedError(f"{type(self).__name__} has no loss")

    def learn(self, ids: Tensor, confidence: Tensor, correct: Tensor) -> dict[str, Any]:
        """Learn from the validation set after an epoch; return what is worth logging.

        `confidence` float64 `(N,)` is that of the predicted class and `correct` bool `(N,)` whether
        it is right, both of the members' averaged probabilities.
        """
        return {}

    def assign(self, part: str, ids: Tensor, levels: Tensor) -> None:
        """Take the levels of the `"train"` or `"validation"` part."""

    def rescores_after(self, epoch: int) -> bool:
        """Whether both parts are to be scored and cut anew after this epoch, counted from 1."""
        return False
