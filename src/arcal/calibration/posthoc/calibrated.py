"""A classifier and its calibrator as one module, or a classifier that sees an image twice."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from arcal.arrays import as_tensor, no_finer_than
from arcal.attacks.any_model import TakesInputs, called, takes_whole
from arcal.calibration.posthoc.calibrator import Calibrator
from arcal.calibration.resampled import Scores
from arcal.errors import ArcalError
from arcal.logits import refuse_probabilities

MANY = 8
"""This many rows of logits do not all sum to 1 by chance."""
ROUNDING = 1e-5
"""The relative amount by which a float32 model's Brier score may vary with the batch size."""


@dataclass(frozen=True)
class FittedTo:
    """A calibrated classifier's figures on the inputs that its calibrator was fitted to.

    They identify these inputs, in any order and from any source: `inputs` is their number, `right`
    how many of them are classified correctly, and `brier` the mean Brier score.

    >>> FittedTo(900, 700, 0.31234).are(FittedTo(900, 700, 0.31235))
    False
    """

    inputs: int
    right: int
    brier: float

    @classmethod
    def from_scores(cls, scores: Scores) -> "FittedTo":
        """From the classifier's scores of the inputs.

        >>> from arcal.calibration.resampled import scores_of
        >>> FittedTo.from_scores(scores_of([torch.tensor([[0.75, 0.25]]).log()], [1]))
        FittedTo(inputs=1, right=0, brier=1.125)
        """
        return cls(len(scores.correct), int(scores.correct.sum()), float(scores.brier.mean()))

    def are(self, others: "FittedTo") -> bool:
        """Whether these are the same inputs, with an allowance for rounding in float32 models."""
        same = (self.inputs, self.right) == (others.inputs, others.right)
        return same and math.isclose(self.brier, others.brier, rel_tol=ROUNDING)


class Calibrated(TakesInputs):
    """Images in, calibrated log-probabilities out: q = c(log softmax f(x)).

    Log-probabilities serve as logits, so this is a classifier like `model`, a module or a function
    that takes `x` `(N, ...)` and returns logits `(N, Z)`. The result has the calibrator's dtype,
    float64 as fitted, so that confident probabilities do not all become 1. `.to(torch.float32)`
    makes both modules float32, as attacks on float32 images need it. On a device without float64,
    such as Apple's GPUs, the calibrator becomes float32. `fitted_to` identifies the inputs that the
    calibrator was fitted to, if they are known: an `arcal.audit` of these inputs says that others
    will look worse.

    `torch.export.export` exports it as one program, which needs no arcal to run:

        inputs = torch.export.Dim("inputs")
        exported = torch.export.export(
            Calibrated(model, calibrator).eval(), (x,), dynamic_shapes={"x": {0: inputs}}
        )
        torch.export.save(exported, "calibrated.pt2")

    >>> import torch
    >>> from arcal.calibration.posthoc import Temperature
    >>> classifier = Calibrated(nn.Identity(), Temperature(2.0))
    >>> classifier(torch.tensor([[0.9, 0.1]]).log()).exp()
    tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """

    def __init__(
        self,
        model: nn.Module | Callable[[Any], Tensor],
        calibrator: Calibrator,
        *,
        fitted_to: FittedTo | None = None,
    ):
        super().__init__()
        self.model: nn.Module | Callable[[Any], Tensor] = model
        self.calibrator: Calibrator = calibrator
        self.fitted_to: FittedTo | None = fitted_to

    def forward(self, x: Tensor | np.ndarray | Mapping[str, Tensor] | tuple[Tensor, ...]) -> Tensor:
        """Calibrated log-probabilities `(N, Z)` of inputs `(N, ...)` on the modules' device.

        For a model that takes several tensors, `x` is a dict of them by name, or a tuple. Errors
        are those of the calibrator; a model that does not return logits `(N, Z)`, or returns
        probabilities of at least `MANY` inputs, raises `ArcalError`. Gradients flow to `x` and to
        the model. An array becomes a tensor, and float64 inputs become float32 for a module without
        float64 weights.
        """
        if isinstance(x, np.ndarray):
            x, held = as_tensor(x, "inputs", copied=False), next(self.parameters(), None)
            x = x if held is None else x.to(held.device)
        if isinstance(x, Tensor) and not torch.compiler.is_compiling():
            x = no_finer_than(self.model, x)
        several = isinstance(x, Mapping | tuple) and not takes_whole(self.model, x)
        logits = called(self.model, x) if several else self.model(x)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            shape = getattr(logits, "shape", None)
            given = type(logits).__name__ if shape is None else f"shape {tuple(shape)}"
            raise ArcalError(f"the model returns {given}: wrap it so that it returns logits (N, Z)")
        if not torch.compiler.is_compiling() and len(logits) >= MANY:
            refuse_probabilities(logits)
        logits = logits.to(self.calibrator.dtype)
        energy = -logits.logsumexp(1) if self.calibrator.needs_energy else None
        return self.calibrator(logits.log_softmax(1), energy=energy)

    def probabilities(
        self, x: Tensor | np.ndarray | Mapping[str, Tensor] | tuple[Tensor, ...]
    ) -> Tensor:
        """Calibrated probabilities `(N, Z)` as numbers, without gradients: `.numpy()` is enough.

        They are the exponential of what `forward` returns. Where gradients are needed, as in a loss
        or an attack, take `classifier(x).exp()`.

        >>> import torch
        >>> from arcal.calibration.posthoc import Temperature
        >>> Calibrated(nn.Identity(), Temperature(2.0)).probabilities(torch.zeros(1, 2))
        tensor([[0.5000, 0.5000]], dtype=torch.float64)
        """
        with torch.no_grad():
            return self(x).exp()


class Mirrored(nn.Module):
    """The mean of the probabilities of an image and its mirror image, as logarithms.

    log q(x) = log 1/2 (p(x) + p(mirror x)) for images `(N, C, H, W)`, with p = softmax f. This is a
    classifier like `model`, but takes two passes. It is often right where one view is not, and less
    sure. It is calibrated like an ensemble, after averaging.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    >>> x = torch.tensor([[[[0.0, 1.0]]]])
    >>> bool(torch.allclose(Mirrored(model)(x), Mirrored(model)(x.flip(3))))
    True
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.training: bool = model.training

    def forward(self, x: Tensor) -> Tensor:
        views = [self.model(view).log_softmax(1) for view in (x, x.flip(3))]
        return torch.stack(views).logsumexp(0) - math.log(2)
