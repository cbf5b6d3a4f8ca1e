"""Calibration errors as metrics of `torchmetrics`: batch by batch, on any number of processes.

They keep the sums of `arcal.calibration`, in float64, so that a value is that of all predictions at
once, edges of bins included. As usual in torchmetrics, `forward` gives a batch's own value and
`compute` that of all; `reset`, `clone`, `MetricCollection` and Lightning's `self.log` work. When
they are moved to a device without float64, they stay on the CPU, and take tensors of any device.
"""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from arcal.arrays import TensorLike, leads_to_float64
from arcal.calibration import ClassWise, Reliability, confidence_and_correct
from arcal.calibration.checks import as_classes
from arcal.errors import ArcalError

SUMS = {"count": torch.int64, "probability_sums": torch.float64, "correct_sums": torch.int64}


class _Calibration(Metric):
    """What these metrics share: three sums, added over processes, and a way to be drawn."""

    is_differentiable: ClassVar[bool] = False  # pyright: ignore
    higher_is_better: ClassVar[bool] = False  # pyright: ignore
    full_state_update: ClassVar[bool] = False  # pyright: ignore
    plot_lower_bound: float | None = 0.0  # pyright: ignore
    plot_upper_bound: float | None = 1.0  # pyright: ignore
    count: Tensor
    probability_sums: Tensor
    correct_sums: Tensor

    def __init__(self, shape: tuple[int, ...], **settings: Any) -> None:
        super().__init__(**settings)
        for name, dtype in SUMS.items():
            self.add_state(name, torch.zeros(shape, dtype=dtype), dist_reduce_fx="sum")

    def _apply(self, fn: Any, exclude_state: Any = "") -> nn.Module:
        """Move to another device, unless it cannot hold the sums."""
        can = leads_to_float64(fn, self.count.device)
        return super()._apply(fn, exclude_state) if can else self

    def _add(self, *sums: Tensor) -> None:
        for name, values in zip(SUMS, sums, strict=True):
            setattr(self, name, getattr(self, name) + values.to(self.count.device))

    def _gaps(self, *, signed: bool = False) -> Tensor:
        """`sum_k |conf - acc|`, or `signed`, each bin by its share; over the last dimension."""
        if not self.count.any():
            raise ArcalError("the ECE of no inputs is undefined: call update first")
        gaps = self.probability_sums - self.correct_sums
        return (gaps if signed else gaps.abs()).sum(-1) / self.count.sum(-1)


class ECE(_Calibration):
    """Expected calibration error of probabilities `(N, Z)`: `arcal.ece`, in `bins` bins (lo, hi].

    `update` takes them with labels `(N,)`; tensors, arrays or lists. Logits raise `ArcalError`, and
    so does `compute` before the first input.

    >>> metric = ECE()
    >>> metric.update(torch.tensor([[0.875, 0.125], [0.875, 0.125]]), torch.tensor([0, 1]))
    >>> metric.compute()
    tensor(0.3750, dtype=torch.float64)
    """

    def __init__(self, bins: int = 15, **settings: Any) -> None:
        self.bins: int = Reliability(bins).bins
        super().__init__((bins,), **settings)

    def update(self, probabilities: TensorLike, labels: TensorLike) -> None:
        batch = Reliability(self.bins).update(*confidence_and_correct(probabilities, labels))
        self._add(batch.count, batch.confidence_sums, batch.correct_sums)

    def compute(self) -> Tensor:
        return self._gaps()


class ECEByLevel(_Calibration):
    """Calibration within each of `levels` robustness levels, `(R,)`; nan for an empty one.

    `figure` is "ece", or "gap", confidence minus accuracy, above 0 where a level is over-confident.
    `update` takes the level `(N,)` of each input, 0 the least robust, after probabilities and
    labels: `arcal.levels` cuts them, and an `AdaptiveLabelSmoothing` looks them up by id, as
    `smoothing.validation_levels(ids)`.

    >>> metric = ECEByLevel(2, figure="gap")
    >>> probabilities = torch.tensor([[0.875, 0.125], [0.875, 0.125], [0.25, 0.75]])
    >>> metric.update(probabilities, torch.tensor([0, 1, 1]), levels=torch.tensor([0, 0, 1]))
    >>> metric.compute()
    tensor([ 0.3750, -0.2500], dtype=torch.float64)
    """

    def __init__(
        self,
        levels: int,
        bins: int = 15,
        *,
        figure: Literal["ece", "gap"] = "ece",
        **settings: Any,
    ) -> None:
        if levels < 1 or figure not in ("ece", "gap"):
            raise ArcalError(
                f"levels is {levels} and figure {figure!r}: give at least 1, and 'ece' or 'gap'"
            )
        self.levels: int = levels
        self.bins: int = Reliability(bins).bins
        self.figure = figure
        super().__init__((levels, bins), **settings)

    def update(self, probabilities: TensorLike, labels: TensorLike, levels: TensorLike) -> None:
        confidence, correct = confidence_and_correct(probabilities, labels)
        levels = as_classes(levels, len(correct), self.levels, "levels")
        sums = []
        for r in range(self.levels):
            one = Reliability(self.bins).update(confidence[levels == r], correct[levels == r])
            sums.append((one.count, one.confidence_sums, one.correct_sums))
        self._add(*map(torch.stack, zip(*sums, strict=True)))

    def compute(self) -> Tensor:
        return self._gaps(signed=self.figure == "gap")


class ClassWiseECE(_Calibration):
    """The mean over classes of each one's ECE: `arcal.calibration.class_wise_ece`.

    `per_class` gives them all, `(Z,)`. `update` takes probabilities `(N, Z)` of `classes` classes
    and labels `(N,)`.

    >>> metric = ClassWiseECE(2)
    >>> metric.update(torch.tensor([[0.75, 0.25], [0.75, 0.25]]), torch.tensor([0, 1]))
    >>> metric.compute()
    tensor(0.2500, dtype=torch.float64)
    """

    def __init__(self, classes: int, bins: int = 15, **settings: Any) -> None:
        self.classes: int = classes
        self.bins: int = bins
        super().__init__(tuple(ClassWise(classes, bins).count.shape), **settings)

    def update(self, probabilities: TensorLike, labels: TensorLike) -> None:
        batch = ClassWise(self.classes, self.bins).update(probabilities, labels)
        self._add(batch.count, batch.probability_sums, batch.label_sums)

    @property
    def per_class(self) -> Tensor:
        return self._gaps()

    def compute(self) -> Tensor:
        return self.per_class.mean()
