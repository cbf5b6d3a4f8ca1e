"""One model in several threads at a time."""

from contextlib import ExitStack
from threading import Thread

import torch
from torch import Tensor, fx, nn

from arcal.attacks.folding import folded
from arcal.attacks.model import frozen

CALLED: list[Tensor] = []


def state(model: nn.Module) -> tuple[bool, ...]:
    required = (parameter.requires_grad for parameter in model.parameters())
    return *(module.training for module in model.modules()), *required, torch.backends.cudnn.enabled


def test_a_model_stays_frozen_until_the_last_is_done_and_is_then_as_it_was():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.RNN(2, 2))
    model[0].bias.requires_grad_(False)
    model[1].eval()
    before, first, second = state(model), ExitStack(), ExitStack()
    first.enter_context(frozen(model))
    second.enter_context(frozen(nn.ModuleList([model])))
    for leaves in (first, second):
        assert not any(state(model))
        leaves.close()
    assert state(model) == before


def test_a_mode_that_is_switched_meanwhile_is_switched_again():
    model = nn.Linear(2, 2)
    with frozen(model):
        model.train()
        with frozen(model):
            assert not model.training
    assert model.training


def call() -> None:
    CALLED.append(nn.Linear(2, 3)(torch.zeros(1, 2)))


class Interrupted(nn.Module):
    """A network during whose tracing another thread calls another one."""

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(x, fx.Proxy):
            other = Thread(target=call, daemon=True)
            other.start()
            other.join(timeout=10)
        return x.flatten(1)


def test_another_thread_can_call_a_network_while_one_is_traced():
    CALLED.clear()
    assert isinstance(folded(Interrupted(), torch.zeros(1, 2)), fx.GraphModule)
    (logits,) = CALLED
    assert logits.shape == (1, 3)
