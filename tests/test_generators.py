"""torch's global generators are seeded for a while, and left as they were."""

import pytest
import torch

from arcal.generators import seeded


def draw() -> torch.Tensor:
    return torch.rand(3)


def test_the_same_draws_as_after_manual_seed_which_others_do_not_see():
    torch.manual_seed(7)
    expected = draw()
    torch.manual_seed(3)
    others = draw(), draw()
    torch.manual_seed(3)
    first = draw()
    with seeded(7):
        assert torch.equal(draw(), expected)
    assert torch.equal(first, others[0])
    assert torch.equal(draw(), others[1])


def test_the_generators_of_gpus_that_are_not_in_use_are_not_seeded(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("it was seeded"))
    with seeded(7):
        draw()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_those_of_gpus_in_use_are_seeded_and_restored():
    torch.cuda.init()
    before = torch.cuda.get_rng_state_all()
    with seeded(7):
        first = torch.rand(3, device="cuda")
    with seeded(7):
        assert torch.equal(torch.rand(3, device="cuda"), first)
    assert all(map(torch.equal, torch.cuda.get_rng_state_all(), before))
