"""A temperature for every batch of unlabelled inputs, on inputs that are all there already.

`BatchTemperature` follows a stream; this cuts a set into batches and treats each alone, to show
what the method is worth on a test set.
"""

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.posthoc.batch_temperature import BatchTemperature, fit_batch_temperature
from arcal.calibration.posthoc.calibrator import Calibrator
from arcal.errors import ArcalError

BATCH = 100
SEED = 0


class TemperatureByBatch(Calibrator):
    """Each batch of inputs at the temperature that it asks for.

    Batches are drawn by a fixed seed, because data are often in the order of their classes, and the
    estimate is of a batch with about the shares of the validation inputs. The last one may be
    smaller. No class overtakes another. Unlike other calibrators it looks at more than one row, so
    that an input may come out differently in another set; and so it is not among `CALIBRATORS`.

    >>> z = 4 * torch.randn(3000, 4, generator=torch.Generator().manual_seed(0))
    >>> labels = (z / 2).softmax(1).multinomial(1, generator=torch.Generator().manual_seed(1))
    >>> by_batch = fit_by_batch(z.log_softmax(1), labels[:, 0])
    >>> unsure = (z / 2).log_softmax(1)[:500]  # inputs that the classifier is less sure of
    >>> bool(by_batch(unsure).exp().amax(1).mean() < unsure.exp().amax(1).mean())
    True
    """

    kind = "batch-temperature"
    keeps_order = True

    def __init__(self, today: BatchTemperature, batch: int = BATCH):
        super().__init__()
        if batch < 1:
            raise ArcalError(f"a batch of {batch} inputs: give 1 or more")
        self.today, self.batch = today, batch

    def calibrate(self, log_p: Tensor, robustness: Tensor | None) -> Tensor:
        calibrated = torch.empty_like(log_p)
        drawn = torch.randperm(len(log_p), generator=torch.Generator().manual_seed(SEED))
        for batch in drawn.split(self.batch):
            T = self.today.estimate(log_p[batch]).T
            calibrated[batch] = (log_p[batch] / T).log_softmax(1)
        return calibrated


def fit_by_batch(log_p: TensorLike, labels: TensorLike) -> TemperatureByBatch:
    """Fitted by `fit_batch_temperature`, to log-probabilities `(N, Z)` and labels `(N,)`.

    >>> fit_by_batch(torch.tensor([[0.9, 0.1]] * 4).log(), [0, 0, 0, 1]).batch
    100
    """
    return TemperatureByBatch(fit_batch_temperature(log_p, labels))
