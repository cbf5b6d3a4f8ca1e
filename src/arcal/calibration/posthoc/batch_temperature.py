"""A temperature for each batch of unlabelled inputs, and an estimate of its accuracy.

The accuracy is estimated by average thresholded confidence (`AccuracyByThreshold`), with the
negative entropy after temperature scaling as the score, and the batch gets the temperature at which
its mean confidence equals the estimate. `BatchTemperature` follows a stream; `TemperatureByBatch`
cuts a set into batches and treats each alone, to evaluate the method on a test set.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor, row_blocks
from arcal.calibration.clusters import as_numbers
from arcal.calibration.posthoc.calibration_set import as_calibration_set
from arcal.calibration.posthoc.calibrator import Calibrator, as_log_probabilities, fitted
from arcal.calibration.posthoc.temperature import Temperature
from arcal.calibration.posthoc.thresholded import (
    AccuracyByThreshold,
    ScoreThreshold,
    fit_accuracy_by_threshold,
)
from arcal.calibration.zeros import Zeros
from arcal.errors import ArcalError

WINDOW = 1000
SHRINK = 25
"""A batch is shrunk towards the validation temperature as if it had this many more inputs."""
FARTHEST = 20.0
"""A batch's temperature lies within this factor of the validation temperature, up or down."""
EXACT = 1e-12
"""The tolerance of the logarithm of a batch's temperature."""
NOTHING_LIKE = (
    "these inputs are nothing like the validation inputs: look at some, as they may be of other "
    "classes altogether, and then neither figure means anything"
)


@dataclass(frozen=True)
class Today:
    """Estimates from `n` unlabelled inputs: the last ones, if more than the window have been seen.

    `accuracy` is an estimate, with the ends `low` and `high` of a 95 % interval over draws of such
    inputs and of validation inputs. It is right if sure but wrong inputs are as many as unsure but
    right ones, as among validation inputs. If the model is merely less sure, but at each score
    right as often as before, estimate and interval are too low. If it has become wrong but stayed
    sure, for example because a feature is broken, they are too high. `confidence` is the mean
    confidence at the validation temperature, and `T` the temperature at which it equals the
    accuracy, shrunk towards the validation temperature for a small `n`. For answers
    (`arcal.auditing.as_answers`) `confidence` is that after the calibrator that was picked, and `T`
    is nan. `doubt` is a line if the inputs are so far from the validation inputs that neither
    figure may hold, else None.

    >>> Today(100, 0.8, 0.7, 0.9, confidence=0.85, T=2.0).doubt is None
    True
    """

    n: int
    accuracy: float
    low: float
    high: float
    confidence: float
    T: float
    doubt: str | None = None


@dataclass(eq=False, repr=False)
class BatchTemperature:
    """Temperature scaling that follows the inputs, without labels.

    `T` is the validation temperature, and `by_threshold` estimates the share of inputs that are
    right from the negative entropy at that temperature; `classes` is Z. The last `window` inputs
    count, and `shrink` more that stand for the validation temperature. `zeros` replace
    probabilities of 0, whose logarithm is -inf, as among the validation inputs; None leaves them.

    The inputs must have the classes of the validation inputs, in about the same shares. On inputs
    of other classes the estimate means nothing, and `Today.doubt` says so if it shows.

    >>> generator = torch.Generator().manual_seed(0)
    >>> z = 4 * torch.randn(3000, 4, generator=generator)
    >>> labels = (z / 2).softmax(1).multinomial(1, generator=generator)[:, 0]
    >>> calibrated = fit_batch_temperature(z.log_softmax(1), labels)
    >>> today = calibrated.update((z[:500] / 2).log_softmax(1))  # inputs it is less sure of
    >>> today.n, today.accuracy < calibrated.accuracy
    (500, True)
    >>> calibrated(z[:500].log_softmax(1)).shape
    torch.Size([500, 4])
    """

    T: float
    by_threshold: AccuracyByThreshold
    classes: int
    window: int = field(default=WINDOW, kw_only=True)
    shrink: float = field(default=SHRINK, kw_only=True)
    zeros: Zeros | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.window < 1 or not self.shrink >= 0:
            line = f"window is {self.window} and shrink {self.shrink}: give at least 1 and 0"
            raise ArcalError(line)
        self.temperature: Temperature = Temperature(self.T)
        self._recent: Tensor | None = None
        self._updating = Lock()  # else two threads could extend the same window

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_updating"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _updating=Lock())

    def __repr__(self) -> str:
        seen = 0 if self._recent is None else len(self._recent)
        return f"BatchTemperature(T={self.T:.4g}, window={self.window}, seen={seen})"

    @property
    def accuracy(self) -> float:
        """The accuracy on the validation inputs."""
        return self.by_threshold.accuracy

    def update(self, log_p: TensorLike) -> Today:
        """Add a batch `(B, Z)` of log-probabilities, and return the estimates for the window.

        No inputs, another number of classes than in validation, and anything but a log-softmax
        raise `ArcalError`, and nothing is added. Threads may call it at the same time.
        """
        log_p = self._checked(log_p)
        with self._updating:
            if self._recent is not None:
                log_p = torch.cat([self._recent, log_p])
            self._recent = log_p[-self.window :].clone()  # a view would keep the whole batch
            today = self._estimate(self._recent)
            self.temperature = Temperature(today.T)
        return today

    def estimate(self, log_p: TensorLike, clusters: TensorLike | None = None) -> Today:
        """The estimates of `update` for these inputs alone; nothing is added to the window.

        `clusters` `(N,)` number the inputs that belong together, for the interval.
        """
        return self._estimate(self._checked(log_p), clusters)

    def _estimate(self, log_p: Tensor, clusters: TensorLike | None = None) -> Today:
        n, Z = log_p.shape
        share, low, high = self.by_threshold.estimate(score(log_p, self.T), clusters)
        confidence = confidences(log_p, self.T).mean().item()
        target = (n * share + self.shrink * confidence) / (n + self.shrink)
        T = confident_at(log_p, target, self.T / FARTHEST, self.T * FARTHEST)
        doubt = None if high >= max(self.accuracy / 2, 1 / Z) else NOTHING_LIKE
        return Today(n, share, low, high, confidence, T, doubt)

    def __call__(self, log_p: TensorLike) -> Tensor:
        """Log-probabilities `(N, Z)` at the window's temperature; at first, at that of validation.

        They are on the CPU, wherever `log_p` is. What `update` refuses raises `ArcalError`, except
        no inputs.
        """
        return self.temperature(self._mended(as_tensor(log_p, "log_p").cpu()))

    def state_dict(self) -> dict[str, Tensor]:
        """The fitted values and the window's log-probabilities `(n, Z)`, as tensors."""
        fitted = self.by_threshold
        thresholds = [
            [one.score, one.ties] for one in (fitted.threshold, fitted.loosest, fitted.strictest)
        ]
        recent, zeros = self._recent, self.zeros
        if recent is None:
            recent = torch.empty(0, self.classes, device="cpu")
        state = {
            "T": _exact(self.T),
            "thresholds": _exact(thresholds),
            "accuracy": _exact(self.accuracy),
            "window": torch.tensor(self.window, device="cpu"),
            "shrink": _exact(self.shrink),
            "recent": recent,
        }
        if zeros is not None:
            state |= {"least": _exact(zeros.least), "masked": zeros.masked}
        return state

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor]) -> "BatchTemperature":
        """Restore a stream from its `state_dict`, to go on where it was.

        Tensors that are not those of a stream raise `ArcalError`.
        """
        names = ("recent", "thresholds", "T", "accuracy", "window", "shrink")
        if missing := [name for name in names if name not in state]:
            raise ArcalError(f"there is no {', no '.join(missing)}: pass what state_dict gave")
        recent, thresholds = state["recent"], state["thresholds"]
        zeros = None  # earlier versions left zeros as they are
        if "least" in state and "masked" in state:
            zeros = Zeros(state["least"].item(), state["masked"].bool())
        threshold, loosest, strictest = (ScoreThreshold(*one) for one in thresholds.tolist())
        stream = cls(
            state["T"].item(),
            AccuracyByThreshold(threshold, loosest, strictest, state["accuracy"].item()),
            recent.shape[1],
            window=int(state["window"]),
            shrink=state["shrink"].item(),
            zeros=zeros,
        )
        if len(recent):
            stream._recent, stream.temperature = recent, Temperature(stream.estimate(recent).T)
        return stream

    def _checked(self, log_p: TensorLike) -> Tensor:
        log_p = as_log_probabilities(log_p)
        if not len(log_p):
            raise ArcalError("a batch of no inputs says nothing: pass at least one")
        return self._mended(log_p)

    def _mended(self, log_p: Tensor) -> Tensor:
        if log_p.ndim != 2:  # which the temperature refuses
            return log_p
        self._check_classes(log_p)
        if self.zeros is None or not log_p.isneginf().any():
            return log_p
        return self.zeros.mended(log_p).to(log_p.dtype)

    def _check_classes(self, log_p: Tensor) -> None:
        if (log_p.shape[1], self.classes) == (1, 2):
            raise ArcalError(
                "the batch has one column, and there are two classes: of one logit z pass the "
                "log-sigmoids of -z and z, side by side"
            )
        if log_p.shape[1] != self.classes:
            raise ArcalError(
                f"the batch has {log_p.shape[1]} classes and the validation inputs {self.classes}: "
                "pass what the same model says"
            )


def _exact(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, device="cpu")


def fit_batch_temperature(
    log_p: TensorLike,
    labels: TensorLike,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    window: int = WINDOW,
    shrink: float = SHRINK,
    zeros: Zeros | None = None,
) -> BatchTemperature:
    """Fit temperature and threshold to validation log-probabilities `(N, Z)` and labels `(N,)`.

    `weights` `(N,)` say how much each input counts, and intervals are those of the effective
    number. `clusters` `(N,)` number the inputs that belong together, which widens the intervals.
    What `fit_temperature` refuses raises `ArcalError`. `zeros` replace probabilities of 0 in these
    inputs and in those that follow.

    >>> log_p = torch.tensor([[0.9, 0.1], [0.6, 0.4]]).log().repeat(50, 1)
    >>> labels = (torch.arange(100) % 4 == 1).long()
    >>> fit_batch_temperature(log_p, labels).accuracy
    0.75
    """
    if zeros is not None:
        log_p = zeros.mended(as_log_probabilities(log_p))
    given = as_calibration_set(log_p, labels, weights)
    log_p, T, Z = given.log_p, given.T, given.log_p.shape[1]
    scores, correct = score(log_p, T), log_p.argmax(1) == given.labels
    weights_of = given.weights if given.weighted else None
    if clusters is not None:
        clusters = as_numbers(clusters, given.inputs)[given.counted]
    fitted = fit_accuracy_by_threshold(scores, correct, weights_of, clusters)
    return BatchTemperature(T, fitted, Z, window=window, shrink=shrink, zeros=zeros)


def score(log_p: Tensor, T: float = 1.0) -> Tensor:
    """The negative entropy `(N,)` of log-probabilities `(N, Z)` at T, 0 if one class is certain.

    >>> score(torch.tensor([[0.5, 0.5], [1.0, 0.0]]).log())
    tensor([-0.6931,  0.0000])
    """
    least = torch.finfo(log_p.dtype).min

    def entropies(log_p: Tensor) -> Tensor:
        scaled = (log_p / T).log_softmax(1)
        return (scaled.exp() * scaled.clamp(min=least)).sum(1)

    return _by_rows(entropies, log_p)


def confidences(log_p: Tensor, T: float) -> Tensor:
    """The confidence `(N,)` of log-probabilities `(N, Z)` at T: 1 / sum_z (p_z / max p)^(1/T).

    >>> confidences(torch.tensor([[0.9, 0.1]]).log(), 2.0)
    tensor([0.7500])
    """

    def sure(log_p: Tensor) -> Tensor:
        below = log_p - log_p.amax(1, keepdim=True)
        return (below / T).exp().sum(1).reciprocal()

    return _by_rows(sure, log_p)


def _by_rows(what: Callable[[Tensor], Tensor], log_p: Tensor) -> Tensor:
    """A function of the rows, applied to blocks of rows so that copies stay small."""
    return torch.cat([what(log_p[some]) for some in row_blocks(*log_p.shape)])


def confident_at(log_p: Tensor, target: float, least: float, most: float) -> float:
    """The temperature from `least` to `most` at which the mean confidence is nearest to `target`.

    The mean confidence falls as the temperature rises, so there is one solution, or it is at an
    end. A service solves this for the whole window at every batch: Brent's method takes ten
    evaluations or so.

    >>> log_p = torch.tensor([[0.9, 0.1]]).log()
    >>> round(confident_at(log_p, 0.75, 0.1, 10.0), 4)
    2.0
    """

    def excess(log_T: float) -> float:
        return confidences(log_p, math.exp(log_T)).mean().item() - target

    low, high = math.log(least), math.log(most)
    if excess(low) <= 0 or excess(high) >= 0:
        return least if excess(low) <= 0 else most
    from scipy.optimize import brentq  # takes a fifth of a second to import

    log_T: Any = brentq(excess, low, high, xtol=EXACT)
    return math.exp(log_T)


BATCH = 100
SEED = 0


class TemperatureByBatch(Calibrator):
    """Each batch of inputs at a temperature of its own.

    Batches are drawn with a fixed seed, because data are often sorted by class, and the estimate
    needs batches with about the class shares of the validation inputs. The last one may be smaller.
    No class overtakes another. Unlike other calibrators it looks at more than one row, so the
    result for an input depends on its set; this is why it is not among `CALIBRATORS`.

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
        super().__init__(T=fitted(today.T, "T", ndim=0))  # sets device and dtype
        if batch < 1:
            raise ArcalError(f"a batch of {batch} inputs: give 1 or more")
        self.today: BatchTemperature = today
        self.batch: int = batch

    def calibrate(self, log_p: Tensor) -> Tensor:
        calibrated = torch.empty_like(log_p)
        drawn = torch.randperm(
            len(log_p), generator=torch.Generator().manual_seed(SEED), device="cpu"
        )
        for batch in drawn.split(self.batch):
            T = self.today.estimate(log_p[batch]).T
            calibrated[batch] = (log_p[batch] / T).log_softmax(1)
        return calibrated


def fit_by_batch(
    log_p: TensorLike, labels: TensorLike, *, weights: TensorLike | None = None
) -> TemperatureByBatch:
    """Fit by `fit_batch_temperature`, to log-probabilities `(N, Z)` and labels `(N,)`.

    >>> fit_by_batch(torch.tensor([[0.9, 0.1]] * 4).log(), [0, 0, 0, 1]).batch
    100
    """
    return TemperatureByBatch(fit_batch_temperature(log_p, labels, weights=weights))
