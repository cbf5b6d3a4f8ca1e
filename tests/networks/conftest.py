"""A helper for the tests of networks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn


@pytest.fixture
def shake() -> Callable[[Any], Any]:
    """Gives batch norm and biases values of their own, so that no 0 or 1 hides a mistake."""

    @torch.no_grad()
    def shaken(network: Any) -> Any:
        generator = torch.Generator().manual_seed(1)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.weight, module.running_var):
                    assert tensor is not None
                    tensor.uniform_(0.5, 1.5, generator=generator)
                for tensor in (module.bias, module.running_mean):
                    assert tensor is not None
                    tensor.normal_(std=0.3, generator=generator)
            elif isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                module.bias.normal_(std=0.3, generator=generator)
        return network

    return shaken
