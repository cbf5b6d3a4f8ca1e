"""The base of training methods: how a batch becomes a loss, and what is learnt after an epoch."""

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
    """The base class of every method, with default behaviour.

    A method is built as `SomeMethod(Z, **settings)`. Its settings are the keyword arguments of its
    constructor, each with a default and a `Setting` in its annotation, which the command line, the
    checks and the reports read. State that it must save to continue goes into buffers. It knows
    neither the loop nor the disk: the loop passes it batches, validation predictions and levels.

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
    """The name on the command line and in run folders."""

    title: ClassVar[str] = ""
    """The name in reports."""

    about: ClassVar[str] = ""
    """What the method does, in one line."""

    place: ClassVar[int] = 100
    """The place in tables: methods with a lower number come first."""

    ranks: ClassVar[bool] = False
    """Whether the training and validation sets must be divided into robustness levels."""

    R: int = 1
    """The number of robustness levels."""

    added: Added = Added()
    """The additions, see `arcal.methods.additions`; nothing unless `add` was called."""

    _has_checked_pixels: bool = False
    _draws: Callable[[str], torch.Generator | None] = staticmethod(lambda name: None)

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        for setting in declared_by(cls):
            if setting.name in settings:
                setting.check(settings[setting.name])
        return super().__new__(cls)

    @classmethod
    def mixes(cls) -> bool:
        """Whether its loss is a criterion of logits, so that it takes mixup and all additions."""
        return cls.loss is Method.loss

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """Its settings in the order of its constructor, then the additions that it takes."""
        own = declared_by(cls)
        return (*own, *additions_to(own, cls.mixes()))

    def add(self, **given: Any) -> Self:
        """Add any of `arcal.methods.additions`, such as `noise=0.1`; returns the method itself.

        A value out of range, or additions that cannot be combined, raise `ArcalError`.
        """
        self.added = checked(self.name, self.mixes(), given)
        if self.added.perturbed_by is not None:
            self.add_module("distances_by_id", DistancesById())
        return self

    @classmethod
    def completed(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Settings with all defaults, even those that depend on others; bad ones are refused."""
        return settings

    def begin(self, epochs: int, full_rate: int) -> None:
        """Take the number of epochs, and of those at the full learning rate, before training."""

    def draw_from(self, generator: Callable[[str], torch.Generator]) -> None:
        """Take a function from names to generators, on the CPU, as a member's epoch begins.

        Without it, additions draw from torch's global generator, as mixup always does.
        """
        self._draws = cache(generator)

    def losses(self, model: nn.Module, ids: Tensor, x: Tensor, labels: Tensor) -> Iterator[Tensor]:
        """What a loop calls for a batch: losses whose sum is the batch's loss, usually just one.

        Ids and labels are int64 `(B,)`, images `(B, C, H, W)` in [0, 1]. The additions change the
        images, from which `loss` is computed. Call backward on each loss before taking the next,
        see `arcal.methods.perturbed`. A first batch of images outside [0, 1] raises `ArcalError` if
        an addition needs them within.
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
            if not weight:  # no consistency loss
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
        """The mean loss of logits `(B, Z)` for ids (on the CPU) and labels, both int64 `(B,)`."""
        raise NotImplementedError(f"{type(self).__name__} has neither a criterion nor a loss")

    def loss(self, model: nn.Module, ids: Tensor, x: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch: ids and labels int64 `(B,)`, images `(B, C, H, W)` in [0, 1].

        It is the criterion with its penalties, on mixed images or not; other additions to the
        images are in `losses`. A method that needs more than the model's logits overrides this, and
        then takes no mixup.
        """
        if self.added.mixup is not None:
            return mixed_loss(self._regularised, self.added.mixup, model, ids, x, labels)
        if (alpha := self.added.regmixup) is not None:
            generator = self._draws("regmixup")
            return regmixup_loss(self._regularised, alpha, model, ids, x, labels, generator)
        return self._regularised(model(x), ids, labels)

    def _regularised(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        """The criterion plus the penalties that were added."""
        loss = self.criterion(logits, ids, labels)
        if self.added.entropy is not None:
            loss = loss - self.added.entropy * mean_entropy(logits)
        if self.added.mbls is not None:
            loss = loss + LAMBDA * margin_penalty(logits, self.added.mbls)
        return loss

    def _distances(self) -> DistancesById | None:
        """The distances, part of the method and its checkpoints if `perturbed_by` was added."""
        known = self._modules.get("distances_by_id")
        assert known is None or isinstance(known, DistancesById)
        return known

    def learn(self, ids: Tensor, confidence: Tensor, correct: Tensor) -> dict[str, Any]:
        """Learn from the validation set after an epoch; return values to log.

        `confidence` float64 `(N,)` is that in the predicted class, and `correct` bool `(N,)` says
        whether this class is right, both by the members' averaged probabilities.
        """
        return {}

    def assign(self, part: str, ids: Tensor, levels: Tensor) -> None:
        """Take the levels of the `"train"` or `"validation"` part."""

    def assign_distances(self, ids: Tensor, robustness: Tensor) -> None:
        """Take the robustness `(N,)` of training images, a share of which is the perturbation."""
        if (known := self._distances()) is None:
            raise ArcalError(f"{self.name} perturbs by no distances: add perturbed_by first")
        known.assign(ids, robustness)

    def rescores_after(self, epoch: int) -> bool:
        """Whether to score both parts again, for new levels, after this epoch, counted from 1."""
        return False
