"""What goes together with what: every pair works, or is one line."""

from itertools import combinations

import pytest
import torch
from torch.nn import functional as F

from arcal.errors import ArcalError
from arcal.methods import METHODS, AdaLS, complete_settings, method_named
from arcal.methods.additions import ADDITIONS
from arcal.training.run import Run

VALUES = {
    "mixup": 0.4,
    "regmixup": 20.0,
    "noise": 0.1,
    "augmix": 12.0,
    "perturbed": 0.15,
    "entropy": 0.1,
    "mbls": 6.0,
}
TOGETHER_NOT = {("mixup", "regmixup"), ("mixup", "augmix")}


@pytest.mark.parametrize("name", METHODS)
def test_every_pair_gives_a_finite_loss_or_one_line(name, batch, network):
    ids, x, labels = batch
    for pair in combinations(VALUES, 2):
        settings = {one: VALUES[one] for one in pair}
        refused = pair in TOGETHER_NOT or (name == "ccat" and set(pair) != {"noise"})
        if refused:
            with pytest.raises(ArcalError) as error:
                Run(method=name, settings=settings)
            assert "\n" not in str(error.value)
            continue
        method = method_named(name, 4, complete_settings(name, settings))
        if isinstance(method, AdaLS):
            method.assign("train", ids, torch.arange(9) % method.R)
        model, total = network(), 0.0
        for loss in method.losses(model, ids, x, labels):
            loss.backward()
            total += loss.item()
        assert torch.isfinite(torch.tensor(total)), pair
        gradients = [parameter.grad for parameter in model.parameters()]
        assert all(g is not None and g.isfinite().all() for g in gradients), pair


@pytest.mark.parametrize(
    ("method", "settings", "says"),
    [
        ("vanilla", {"noise": 0.0}, "noise is 0.0: it must be above 0"),
        ("vanilla", {"noise": float("nan")}, "noise is nan: it must be above 0"),
        ("vanilla", {"augmix": -1}, "augmix is -1: it must be at least 0"),
        ("vanilla", {"perturbed": 0}, "perturbed is 0: it must be above 0"),
        ("vanilla", {"entropy": float("inf")}, "entropy is inf: it must be above 0"),
        ("vanilla", {"mbls": -0.1}, "mbls is -0.1: it must be at least 0"),
        ("vanilla", {"regmixup": 0}, "regmixup is 0: it must be at least 0.001 and at most 1000"),
        ("vanilla", {"perturbed_by": "gradient"}, "give the share of the distance as well"),
        (
            "vanilla",
            {"perturbed": 0.5, "perturbed_by": "margin"},
            "perturbed_by is 'margin': give attack or gradient, whose scores are distances",
        ),
        ("vanilla", {"mixup": 0.2, "regmixup": 20}, "both mix the batch: leave one out"),
        ("adals", {"mixup": 0.2, "augmix": 12}, "mixup leaves no clean image for AugMix's"),
        ("ccat", {"augmix": 12}, "ccat makes its own inputs, which have no consistency loss: give"),
        ("ccat", {"entropy": 0.1}, "ccat makes its own inputs: leave entropy out"),
        ("ccat", {"perturbed": 0.1}, "ccat makes its own inputs: leave perturbed out"),
    ],
)
def test_what_does_not_go_is_one_line(method, settings, says):
    with pytest.raises(ArcalError, match=says) as error:
        Run(method=method, settings=settings)
    assert "\n" not in str(error.value)


def test_what_is_not_given_is_not_in_a_run(batch, network):
    ids, x, labels = batch
    nothing = {setting.name: None for setting in ADDITIONS}
    for name in METHODS:
        assert complete_settings(name, nothing) == complete_settings(name, {})
    state = torch.get_rng_state()
    model = network()
    torch.set_rng_state(state)
    (loss,) = method_named("vanilla", 4, nothing).losses(model, ids, x, labels)
    torch.testing.assert_close(loss, F.cross_entropy(network()(x), labels))
    assert torch.equal(model.seen[0], x)


@pytest.mark.parametrize(
    "added", [{"noise": 0.1}, {"augmix": 12}, {"augmix": 0}, {"perturbed": 0.1}]
)
def test_normalised_images_are_refused_where_they_would_be_clipped(added, batch, network):
    ids, x, labels = batch
    method = method_named("vanilla", 4, added)
    with pytest.raises(ArcalError, match=rf"{next(iter(added))} is added to images in \[0, 1\]"):
        list(method.losses(network(), ids, (x - 0.5) / 0.25, labels))
    slightly_out = x * 1.0005 - 0.0001  # as resizing leaves them
    assert len([loss.backward() for loss in method.losses(network(), ids, slightly_out, labels)])
    (loss,) = method_named("vanilla", 4, {"mixup": 0.2}).losses(network(), ids, 9 * x - 4, labels)
    assert loss.isfinite()
