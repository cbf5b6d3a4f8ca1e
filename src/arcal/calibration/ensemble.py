"""The prediction of an ensemble."""

import math

from torch import Tensor

from arcal.errors import ArcalError


def average(logits: Tensor) -> Tensor:
    """Log of the members' mean probability, `(N, Z)` float64, from their logits `(M, N, Z)`.

    Probabilities are averaged, not logits. All in logarithms, so that nothing underflows; a single
    model is an ensemble of one, whose log-softmax comes back bit for bit. A logit of -inf is a
    class that cannot be; nan, +inf, or a row of only -inf raise `ArcalError`.
    """
    if logits.ndim != 3 or len(logits) == 0:
        raise ArcalError(
            f"logits must have shape (M, N, Z) with M >= 1, not {tuple(logits.shape)}: "
            "stack the members"
        )
    log_softmax = logits.detach().cpu().double().log_softmax(-1)
    if log_softmax.isnan().any():
        raise ArcalError("logits hold nan or +inf: look for a member whose training diverged")
    return log_softmax.logsumexp(0) - math.log(len(logits))
