"""What a training method is: how a batch becomes a loss, and what an epoch teaches it."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from arcal.errors import ArcalError
from arcal.methods.additions import Added, additions_to, check_pixels, checked
from arcal.methods.augmix import Beside, augmix_views, jensen_shannon
from arcal.methods.mixup import mixed_loss, regmixup_loss
from arcal.methods.noise import noisy
from arcal.methods.penalties import LAMBDA, margin_penalty, mean_entropy
from arcal.methods.perturbed import DistancesById, losses_at_both
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
    >>> [setting.name for setting in LargeLogits.settings()][:3]
    ['penalty', 'mixup', 'regmixup']
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

    added: Added = Added()
    """What was added to it, see `arcal.methods.additions`; nothing unless `add` was called."""

    _has_checked_pixels: bool = False
    _draws: Callable[[str], torch.Generator | None] = staticmethod(lambda name: None)

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        for setting in declared_by(cls):
            if setting.name in settings:
                setting.check(settings[setting.name])
        return super().__new__(cls)

    @classmethod
    def mixes(cls) -> bool:
        """Whether its loss is a criterion of logits: it can be mixed, and all else be added."""
        return cls.loss is Method.loss

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """Its settings in the order of its constructor, and what can be added to it."""
        own = declared_by(cls)
        return (*own, *additions_to(own, cls.mixes()))

    def add(self, **given: Any) -> Self:
        """Add what `arcal.methods.additions` has, such as `noise=0.1`; returns the method itself.

        A value out of range, or what does not go together, raises `ArcalError`.
        """
        self.added = checked(self.name, self.mixes(), given)
        if self.added.perturbed_by is not None:
            self.add_module("distances_by_id", DistancesById())
        return self

    @classmethod
    def completed(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings with all defaults, those that depend on others included; nonsense raises."""
        return settings

    def begin(self, epochs: int, full_rate: int) -> None:
        """Take the number of epochs, and of those at the full learning rate, before the first."""

    def draw_from(self, generator: Callable[[str], torch.Generator]) -> None:
        """Take what gives the generator of each name, on the CPU, as a member's epoch begins.

        Without it, what is added draws from torch's global generator, as mixup always does.
        """
        self._draws = cache(generator)

    def losses(self, model: nn.Module, ids: Tensor, x: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """What a loop calls for a batch: losses that add up to its own, most often one.

        Ids and labels are int64 `(B,)`, images `(B, C, H, W)` in [0, 1]. The images get what was
        added to them and become the `loss`. The gradient of each loss is to be taken before the
        next is asked for, see `arcal.methods.perturbed`. A first batch of images out of [0, 1]
        raises `ArcalError` if what was added needs them there.
        """
        if not self._has_checked_pixels:
            check_pixels(self.added, x)
            self._has_checked_pixels = True
        weight, views = self.added.augmix, [x]
        if weight is not None:
            views = augmix_views(x, weight, self._draws("augmix"))
        if self.added.noise is not None:
            views = [noisy(x, self.added.noise, self._draws("noise")) for x in views]
        x, *others = views

        def loss(x: Tensor) -> Tensor:
            if not weight:  # of the consistency with other views
                return self.loss(model, ids, x, labels)
            beside = Beside(model, others)
            loss = self.loss(beside, ids, x, labels)
            return loss + weight * jensen_shannon(*beside.logits)

        if self.added.perturbed is None:
            yield loss(x)
        else:
            distance = 1.0 if (known := self._distances()) is None else known(ids)
            yield from losses_at_both(loss, x, self.added.perturbed * distance)

    def criterion(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        """The mean loss of logits `(B, Z)` for ids, on the CPU, and labels int64 `(B,)`."""
        raise NotImplementedError(f"{type(self).__name__} has neither a criterion nor a loss")

    def loss(self, model: nn.Module, ids: Tensor, x: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch: ids and labels int64 `(B,)`, images `(B, C, H, W)` in [0, 1].

        It is the criterion's with its penalties, mixed or not; what is added to the images, and
        what needs them once more, is in `losses`. A method that needs more of the model than its
        logits overrides this; it cannot be mixed.
        """
        if self.added.mixup is not None:
            return mixed_loss(self._regularised, self.added.mixup, model, ids, x, labels)
        if (alpha := self.added.regmixup) is not None:
            generator = self._draws("regmixup")
            return regmixup_loss(self._regularised, alpha, model, ids, x, labels, generator)
        return self._regularised(model(x), ids, labels)

    def _regularised(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        """The criterion, and the penalties that were added to it."""
        loss = self.criterion(logits, ids, labels)
        if self.added.entropy is not None:
            loss = loss - self.added.entropy * mean_entropy(logits)
        if self.added.mbls is not None:
            loss = loss + LAMBDA * margin_penalty(logits, self.added.mbls)
        return loss

    def _distances(self) -> DistancesById | None:
        """Part of the method, and so of its checkpoints, only where `perturbed_by` was added."""
        known = self._modules.get("distances_by_id")
        assert known is None or isinstance(known, DistancesById)
        return known

    def learn(self, ids: Tensor, confidence: Tensor, correct: Tensor) -> dict[str, Any]:
        """Learn from the validation set after an epoch; return what is worth logging.

        `confidence` float64 `(N,)` is that of the predicted class and `correct` bool `(N,)` whether
        it is right, both of the members' averaged probabilities.
        """
        return {}

    def assign(self, part: str, ids: Tensor, levels: Tensor) -> None:
        """Take the levels of the `"train"` or `"validation"` part."""

    def assign_distances(self, ids: Tensor, robustness: Tensor) -> None:
        """Take the robustness `(N,)` of training images, by whose share `perturbed_by` perturbs."""
        if (known := self._distances()) is None:
            raise ArcalError(f"{self.name} perturbs by no distances: add perturbed_by first")
        known.assign(ids, robustness)

    def rescores_after(self, epoch: int) -> bool:
        """Whether both parts are to be scored and cut anew after this epoch, counted from 1."""
        return False
