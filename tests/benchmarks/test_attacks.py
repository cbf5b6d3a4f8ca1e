"""The harness on a tiny setting, with our own attacks only."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from arcal.attacks import CarliniWagner
from arcal.errors import ArcalError
from benchmarks.attacks import Options, chosen, optimality, run, section
from benchmarks.measure import Cache, Counter, distance_of, measure
from benchmarks.peers import Contestant
from benchmarks.settings import Draw, Setting

SHORT = CarliniWagner(search_steps=2, iterations=60, learning_rate=0.01, initial_c=1.0)


def ours(name: str, attack: Any) -> Contestant:
    return Contestant(name, "arcal, source 0", repr(attack), ours=attack)


@pytest.fixture
def tiny():
    """Two images of a linear model, whose distances to the boundary are known."""
    generator = torch.Generator().manual_seed(0)
    linear = nn.Linear(4, 2, bias=False)
    linear.weight.data = torch.tensor([[1.0, -1.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0]])
    model = nn.Sequential(nn.Flatten(), linear).eval().requires_grad_(False)
    images = 0.3 + 0.4 * torch.rand(2, 1, 2, 2, generator=generator)
    return Setting("tiny", "two images", model, torch.tensor([3, 8]), images)


@pytest.fixture
def contestants():
    return [
        ours("arcal-cw", SHORT),
        ours("arcal-cw-full", dataclasses.replace(SHORT, early_stop=False)),
    ]


@pytest.mark.slow
def test_harness_measures_keeps_and_tells(tiny, contestants, tmp_path):
    rows = run(tiny, contestants, Cache(tmp_path, "first"), 1)
    exact = (tiny.model(tiny.images)[:, 0] / 1.5).abs()
    for row in rows:
        assert (row.distance >= 0.999 * exact).all()
        assert (row.distance <= 1.2 * exact).all()
        assert row.ms > 0
        assert row.forward >= row.backward > 1
        assert 0 < row.over_floor < float("inf")
    again = run(tiny, contestants, Cache(tmp_path, "second"), 1)
    assert [row.ms for row in again] == [row.ms for row in rows], "what is measured is kept"
    text = "\n\n".join(section(tiny, again, 1, ["adv-lib is not installed"]))
    assert "All times are from one run, first." in text
    assert "arcal-cw-full" in text
    assert "adv-lib is not installed" in text
    changed = [dataclasses.replace(contestants[0], of="arcal, source 1"), contestants[1]]
    text = "\n\n".join(section(tiny, run(tiny, changed, Cache(tmp_path, "third"), 1), 1, []))
    assert "Times are from 2 runs (first, third)" in text


def test_what_an_attack_returns_is_checked(tiny):
    x = tiny.images
    y = tiny.model(x).argmax(1)
    linear: Any = tiny.model[1]
    w = linear.weight[0].view(1, 2, 2)
    sign = torch.where(y == 0, -1.0, 1.0).view(2, 1, 1, 1)
    across = x + sign * 1.01 * (tiny.model(x)[:, 0].abs() / w.square().sum()).view(2, 1, 1, 1) * w
    distance = distance_of(tiny.model, x, across, y)
    torch.testing.assert_close(distance, (across - x).flatten(1).norm(dim=1))
    for failure in (x, torch.zeros_like(x), torch.full_like(x, torch.nan)):
        assert distance_of(tiny.model, x, failure, y).isinf().all()


def test_fresh_inputs_are_none_for_tuning_and_none_looked_at_before():
    draws = [Draw(40), Draw(40, fresh=True), Draw(40, fresh=True, number=1)]
    positions = [set(draw.positions(200).tolist()) for draw in draws]
    assert [len(some) for some in positions] == [40, 40, 40]
    assert len(set().union(*positions)) == 120
    assert Draw(10).positions(200).tolist() == Draw(40).positions(200).tolist()[:10]
    with pytest.raises(ArcalError, match="draw 3 is beyond the 100"):
        Draw(40, fresh=True, number=3).positions(200)


def test_optimality_is_the_area_under_robust_accuracy():
    generator = torch.Generator().manual_seed(0)
    best = torch.rand(50, generator=generator) + 0.1
    distance = best * (1 + torch.rand(50, generator=generator))
    distance[3] = torch.inf
    radii = torch.linspace(0, float(best.max()), 20_001, dtype=torch.float64)
    areas = [
        torch.trapezoid((d[:, None] <= radii).double().mean(0), radii) for d in (distance, best)
    ]
    assert optimality(distance, best) == pytest.approx(float(areas[0] / areas[1]), rel=1e-3)
    assert optimality(best, best) == 1


def test_rows_are_counted(tiny):
    counter, x = Counter(tiny.model), tiny.images.clone().requires_grad_()
    logits = counter(x)
    for k in (0, 1, 0):
        torch.autograd.grad(logits[:, k].sum(), x, retain_graph=True)
    counter(x.detach())
    assert (counter.forward_rows, counter.backward_rows) == (4, 6)


def test_a_peer_that_changes_the_model_is_refused(tiny):
    def careless(model, x, y):
        model.train()
        return x

    peer = Contestant("careless", "nobody 1", "careless()", careless)
    with pytest.raises(ArcalError, match="careless has changed the model"):
        measure(peer, tiny.model, tiny.images, count=True, run="")


def test_attacks_are_chosen_by_parts_of_their_names(contestants):
    assert chosen(contestants, Options(only=("full",))) == contestants[1:]
    assert chosen(contestants, Options(only=("arcal",))) == contestants
    assert chosen(contestants, Options(only=("arcal-cw",))) == contestants[:1], "a whole name"
    with pytest.raises(ArcalError, match="no attack is called alma: there are arcal-cw, arcal-cw-"):
        chosen(contestants, Options(only=("alma",)))
