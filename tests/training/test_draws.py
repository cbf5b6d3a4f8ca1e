import torch

from arcal.training.draws import draw, draw_seed


def test_draws_are_known_by_name():
    assert draw_seed(0, "order", 1) == draw_seed(0, "order", 1)
    seeds = {draw_seed(s, n, e) for s in range(3) for n in ("order", "init") for e in range(3)}
    assert len(seeds) == 18
    assert torch.equal(torch.rand(3, generator=draw(1, "a")), torch.rand(3, generator=draw(1, "a")))
