"""The least and the most robust images of a test set, with the perturbations that flip them."""

from dataclasses import dataclass, fields

import torch
from lightning_fabric import Fabric
from torch import Tensor

from arcal.attacks import CarliniWagner
from arcal.data import Part
from arcal.evaluation import predict_images
from arcal.robustness import Robustness, rank
from arcal.store import RunFolder, load_tensors, save_tensors
from arcal.training.fit import as_input
from arcal.training.run import models_of


@dataclass(frozen=True)
class Showcase:
    """N attacked images of one model, from the least to the most robust of its test set.

    `ids`, `labels`, `predicted` and `becomes` (the prediction on the perturbed image) int64 `(N,)`;
    `x` and `adversarial` float32 `(N, C, H, W)` in [0, 1]; `distance` `(N,)` as the attack found it,
    `estimate` `(N,)` as the order that ranked the images has it.
    """

    ids: Tensor
    labels: Tensor
    predicted: Tensor
    becomes: Tensor
    x: Tensor
    adversarial: Tensor
    distance: Tensor
    estimate: Tensor
