"""Over-confident predictions that are known to be calibrated at one temperature."""

import torch
from torch import Tensor


def draw(N: int = 2000, Z: int = 5, T: float = 2.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Log-probabilities `(N, Z)` and labels drawn from their softmax at temperature `T`."""
    generator = torch.Generator().manual_seed(seed)
    z = 4 * torch.randn(N, Z, generator=generator, dtype=torch.float64)
    labels = (z / T).softmax(1).multinomial(1, generator=generator)[:, 0]
    return z.log_softmax(1), labels


def energy_of(log_p: Tensor) -> Tensor:
    """Energies as of logits whose largest is 3 times the gap: lower for surer predictions."""
    first, second = log_p.double().topk(2, dim=1).values.clamp(min=-50).unbind(1)
    return -3 * (first - second) - 1
