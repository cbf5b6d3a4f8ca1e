"""What a training method is: how a batch becomes a loss, and what an epoch teaches it."""

from typing import Any, ClassVar, Self

from torch import Tensor, nn

from arcal.methods.mixup import MIXUP, mixed_loss
from arcal.methods.setting import Setting, declared_by


class Method(nn.Module):
    """Base of every method, and the plain one's behaviour.

    A method is built as `SomeMethod(Z, **settings)`. Its settings are the keyword arguments of its
    constructor, each with a default and a `Setting` in its annotation; the command line, the checks
    and the reports read them there. What it must save to continue goes into buffers. It knows
    neither the loop nor the disk: the loop hands it batches, validation predictions and levels.

    >>> import torch
    >>> from typing import Annotated
    >>> class LargeLogits(Method):
    ...     def __init__(self, Z, *, penalty: Annotated[float, Setting(at_least=0)] = 0.5):
    ...         super().__init__()
    ...         self.penalty = penalty
    ...
    ...     def criterion(self, logits, ids, labels):
    ...         loss = nn.functional.cross_entropy(logits, labels)
    ...         return loss + self.penalty * logits.square().mean()
    >>> [setting.name for setting in LargeLogits.settings()]
    ['penalty', 'mixup']
    >>> ids, x, labels = torch.tensor([7]), torch.full((1, 2), 2.0), torch.tensor([0])
    >>> LargeLogits(2).loss(nn.Identity(), ids, x, labels)  # log 2 + 0.5 x 4
    tensor(2.6931)
    """

    name: ClassVar[str] = ""
    """What the command line and the run folders call it."""

    title: ClassVar[str] = ""
    """What reports call it."""

    about: ClassVar[str] = ""
    """What it does, in a line."""

    place: ClassVar[int] = 100
    """Where it stands in tables: those with a lower number come first."""

    ranks: ClassVar[bool] = False
    """Whether it needs the training and validation sets cut into robustness levels."""

    R: int = 1
    """Number of those levels."""

    mixup: float | None = None
    """Beta of mixup's Beta(beta, beta), see `arcal.methods.mixup`; None where nothing is mixed."""

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        for setting in declared_by(cls):
            if setting.name in settings:
                setting.check(settings[setting.name])
        return super().__new__(cls)

    @classmethod
    def mixes(cls) -> bool:
        """Whether it can be mixed: its loss is a criterion of logits."""
        return cls.loss is Method.loss

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """Its settings in the order of its constructor, and `mixup` where it mixes."""
        return (*declared_by(cls), MIXUP) if cls.mixes() else declared_by(cls)

    @classmethod
    def completed(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings with all defaults, those that depend on others included; nonsense raises."""
        return settings

    def begin(self, epochs: int, full_rate: int) -> None:
        """Be told, before the first epoch, how many there are and how many at the full rate."""

    def criterion(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        """The mean loss of logits `(B, Z)` for ids, on the CPU, and labels int64 `(B,)`."""
        raise NotImplementedError(f"{type(self).__name__} has neither a criterion nor a loss")

    def loss(self, model: nn.Module, ids: Tensor, x: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch: ids and labels int64 `(B,)`, images `(B, C, H, W)` in [0, 1].

        It is the criterion's, mixed or not. A method that needs more of the model than its logits
        overrides this; it cannot be mixed.
        """
        if self.mixup is None:
            return self.criterion(model(x), ids, labels)
        return mixed_loss(self.criterion, self.mixup, model, ids, x, labels)

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
