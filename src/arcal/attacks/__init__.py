"""Attacks: the smallest perturbation that changes a model's own prediction.

An attack is a frozen dataclass of its settings and a callable
`attack(model, x, bounds) -> Adversarial`.
"""

from arcal.attacks.adversarial import Adversarial, Bounds
from arcal.attacks.carlini_wagner import CarliniWagner
from arcal.attacks.model import Model, frozen, margin

__all__ = ["Adversarial", "Bounds", "CarliniWagner", "Model", "frozen", "margin"]
