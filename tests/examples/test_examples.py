"""The examples run, do what their headers say, and are as short as they say."""

import difflib
import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

import pytest
import torch

import arcal

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name[:2]}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def algorithm():
    return example("00_algorithm_in_one_file")


@pytest.fixture(scope="module")
def plugged():
    return example("01_plug_into_your_loop")


def test_the_algorithm_fits_below_150_lines_and_takes_only_images_from_arcal(algorithm):
    source = inspect.getsource(algorithm)
    assert len(source.splitlines()) < 150
    assert [line for line in source.splitlines() if "import" in line and "arcal" in line] == [
        "from arcal.data import Part, load"
    ]


def test_soft_labels_are_those_of_the_library_bit_for_bit(algorithm):
    generator = torch.Generator().manual_seed(0)
    N, R, Z = 997, algorithm.R, algorithm.Z
    ids = torch.arange(N)
    level = torch.randint(R, (N,), generator=generator)
    smoothing = arcal.AdaptiveLabelSmoothing(Z=Z, R=R, alpha=algorithm.ALPHA)
    smoothing.assign("validation", ids, level)
    soft_label = torch.ones(R, dtype=torch.float64)
    bounds = set()
    for epoch in range(40):
        logits = (1 + epoch / 10) * torch.randn(N, Z, generator=generator)
        confidence = logits.softmax(dim=1).amax(dim=1)
        # Level 0 is always wrong and runs into 1/Z, level 9 always right and stays at 1.
        correct = torch.rand(N, generator=generator) < level / (R - 1)
        soft_label = algorithm.update(soft_label, confidence, correct, level)
        smoothing.update(confidence, correct, ids)
        assert torch.equal(soft_label, smoothing.soft_label)
        epsilon = algorithm.epsilon_of(soft_label)
        assert torch.equal(epsilon, smoothing.epsilon)
        softened = algorithm.soften(level % Z, epsilon[level])
        assert torch.equal(softened, arcal.soften(level % Z, smoothing.epsilon[level], Z))
        bounds |= set(soft_label.tolist()) & {1.0, algorithm.LOWEST}
    assert bounds == {1.0, algorithm.LOWEST}


def test_levels_and_ece_are_those_of_the_library(algorithm):
    generator = torch.Generator().manual_seed(1)
    confidence = torch.rand(1003, generator=generator)
    correct = torch.rand(1003, generator=generator) < confidence
    ids = torch.arange(1003)
    assert torch.equal(algorithm.levels(confidence), arcal.levels(confidence, ids, algorithm.R))
    assert algorithm.ece(confidence, correct) == pytest.approx(arcal.ece(confidence, correct))


def test_its_robustness_is_the_gradient_order(algorithm):
    torch.manual_seed(0)
    model, x = algorithm.network(), torch.rand(20, 1, 28, 28)
    batch = (torch.arange(20), x, torch.zeros(20, dtype=torch.int64))
    expected = arcal.score(model, [batch], order="gradient").robustness
    torch.testing.assert_close(algorithm.robustness(model, x), expected)


def test_after_is_before_with_five_marked_lines_and_one_changed(plugged):
    before = inspect.getsource(plugged.before).splitlines()[1:]
    after = inspect.getsource(plugged.after).splitlines()[1:]
    difference = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    added = [line for line in difference if line.endswith("# added")]
    changed = [line for line in difference if line.endswith("# changed")]
    removed = [line for line in difference if line.startswith("-")]
    assert len(added) == 5
    assert len(changed) == 1
    assert len(removed) == 1
    assert "cross_entropy" in removed[0]
    assert len(difference) == 7


def test_both_examples_train_the_same_models(algorithm, plugged, capsys):
    epochs = 3
    of_algorithm = algorithm.main(epochs=epochs)
    printed = capsys.readouterr().out
    assert "AR-AdaLS" in printed
    of_loop = plugged.main(epochs=epochs)
    for one, other in (("vanilla", "before"), ("AR-AdaLS", "after")):
        # accuracy and ECE; the two losses are one formula, rounded in two ways
        torch.testing.assert_close(
            of_algorithm[one][:, :2], of_loop[other][:, :2].float(), rtol=0, atol=1.0
        )
