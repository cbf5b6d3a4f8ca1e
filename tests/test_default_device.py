"""Another default device of torch's, on which nothing of arcal's is drawn or left."""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import arcal
from arcal import calibration as measures
from arcal.attacks import BoundaryProjection, CarliniWagner
from arcal.attacks.pgd import PGD
from arcal.auditing import as_predictions, choose_calibrator
from arcal.calibration.posthoc import EVALUATED
from arcal.methods import method_named
from arcal.networks import build
from arcal.orders import ORDERS
from arcal.robustness import distance, score
from arcal.transforms.augmix import augmix
from arcal.transforms.corruptions import CORRUPTIONS as TYPES
from arcal.transforms.corruptions import corrupt

X = torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
IDS, LABELS = torch.arange(4), torch.tensor([0, 1, 2, 0])
NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
STARTS = ("gaussian", "uniform-norm", "zero")


def scored(order: str, attack: Any = None) -> Callable[[], torch.Tensor]:
    return lambda: score(NETWORK, [(IDS, X, LABELS)], order, attack=attack).robustness


def loss_of(name: str, **added: float) -> Callable[[], torch.Tensor]:
    def loss() -> torch.Tensor:
        losses = method_named(name, 3, added).losses(NETWORK, IDS, X, LABELS)
        return torch.stack([(one.backward(), one.detach())[1] for one in losses])

    return loss


CASES = {order: scored(order) for order in ORDERS}
CASES |= {
    "linf": scored("attack", BoundaryProjection(norm="linf")),
    "carlini-wagner": scored("attack", CarliniWagner(search_steps=1, iterations=5)),
    "pgd": lambda: PGD(0.1, 0.1, 2, start=STARTS)(NETWORK, X, LABELS),
    "images of augmix": lambda: augmix(X),
    "label smoothing": loss_of("label-smoothing"),
    "ccat": loss_of("ccat"),
    "augmix": loss_of("vanilla", augmix=1.0),
    "mixup": loss_of("vanilla", mixup=0.2),
    "regmixup": loss_of("focal", regmixup=2.0),
    "noise": loss_of("vanilla", noise=0.1),
    "perturbed": loss_of("vanilla", perturbed=0.1),
}

X60 = torch.rand(60, 3, 2, 2, generator=torch.Generator().manual_seed(1))
LOG_P = (4 * X60.flatten(1)[:, :3]).log_softmax(1).double()
Y = (LOG_P + 2 * X60.flatten(1)[:, 3:6]).argmax(1)
P, (CONFIDENCE, RIGHT) = LOG_P.exp(), measures.confidence_and_correct(LOG_P.exp(), Y)


def fitted(name: str) -> Callable[[], torch.Tensor]:
    return lambda: EVALUATED[name](LOG_P, Y, energy=CONFIDENCE)(LOG_P, energy=CONFIDENCE)


def audited() -> list[dict[str, Any]]:
    audit = arcal.audit(NETWORK, (X60, Y), order="gradient", R=2, other={"other": (X, LABELS)})
    return audit.inputs().to_pylist()


CASES |= {name: fitted(name) for name in EVALUATED}
CASES |= {
    "act above": lambda: measures.act_above(CONFIDENCE, RIGHT, 0.1),
    "aurc": lambda: measures.aurc_interval(CONFIDENCE, RIGHT),
    "auroc": lambda: measures.auroc(CONFIDENCE, CONFIDENCE[:9]),
    "average": lambda: measures.average(LOG_P[None]),
    "bootstrap": lambda: measures.bootstrap(arcal.ece, CONFIDENCE, RIGHT, resamples=9),
    "bootstrap of the ECE": lambda: measures.bootstrap_ece(CONFIDENCE, RIGHT, resamples=9),
    "bootstrap by group": lambda: measures.bootstrap_ece_by_group(CONFIDENCE, RIGHT, Y, 3),
    "brier": lambda: measures.brier(P, Y),
    "by level": lambda: measures.by_level(CONFIDENCE, RIGHT, Y, R=3),
    "churn": lambda: measures.churn(torch.stack([Y, Y.flip(0)])),
    "class-wise ECE": lambda: measures.class_wise_ece(P, Y),
    "ECE": lambda: measures.ece(CONFIDENCE, RIGHT),
    "ECE by chance": lambda: measures.ece_by_chance(CONFIDENCE, Y, 3),
    "ECE of equal mass": lambda: measures.equal_mass_ece(CONFIDENCE, RIGHT),
    "entropy": lambda: measures.entropy(LOG_P),
    "exact interval": lambda: measures.exact_interval(Y, Y + 1),
    "mean rank": lambda: arcal.mean_rank(P.T, torch.arange(60, device="cpu")),
    "nll": lambda: measures.nll(LOG_P, Y),
    "robust accuracy": lambda: measures.robust_accuracy(CONFIDENCE, RIGHT),
    "selective accuracy": lambda: measures.selective_accuracy(CONFIDENCE, RIGHT, points=5),
    "smooth ECE": lambda: measures.smooth_ece(CONFIDENCE, RIGHT),
    "variance": lambda: measures.variance(torch.stack([P, P.flip(0)])),
    "audit": audited,
    "choice of a calibrator": lambda: (
        choose_calibrator(
            as_predictions(logits=LOG_P, labels=Y), calibrators=("temperature",), resamples=9
        ).why
    ),
    "distance": lambda: distance(NETWORK, X[0]),
    "network": lambda: build(
        "small", classes=2, shape=(1, 8, 8), generator=torch.Generator()
    ).eval()(torch.zeros(1, 1, 8, 8, device="cpu")),
}
CASES |= {
    type: lambda type=type: corrupt(X.repeat(1, 1, 16, 16), IDS, type=type, intensity=3)
    for type in TYPES
}


@pytest.mark.parametrize("case", CASES)
def test_results_are_those_of_the_processor(case):
    """A meta tensor holds nothing, so that whatever is made on that device fails."""
    results = []
    for device in ("cpu", "meta"):
        with torch.random.fork_rng(), torch.device(device):
            torch.manual_seed(0)
            results.append(CASES[case]())
    texts, numbers = zip(*(apart(repr(result)) for result in results), strict=True)
    assert texts[0] == texts[1]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-3, abs=1e-4)


def apart(text: str) -> tuple[str, list[float]]:
    """A text without its numbers that have decimals, and these."""
    decimals = r"-?\d+\.\d*(?:e[-+]?\d+)?"
    return re.sub(decimals, "#", text), [float(number) for number in re.findall(decimals, text)]


CONSTRUCTORS = "arange asarray as_tensor empty eye full linspace logspace normal ones rand randint "
CONSTRUCTORS += "randn randperm scalar_tensor tensor zeros"
MODULES = {"external/_normalization.py", "integrations/torchmetrics.py", "networks/layers.py"}
MODULES |= {"networks/wide_resnet.py"}
"""Here they are buffers of new modules, which are made on the default device as torch's own are."""
SOURCE = Path(arcal.__file__).parent


def without_device(source: str) -> list[str]:
    """The calls of a source text that leave a new tensor's device to the default."""
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {f"torch.{name}" for name in CONSTRUCTORS.split()}
        and not any(keyword.arg in ("device", None) for keyword in node.keywords)
    ]


def test_new_tensors_name_their_device():
    assert without_device("torch.zeros(3)\ntorch.zeros(3, device=x.device)"), "these are noticed"
    for path in SOURCE.rglob("*.py"):
        if path.relative_to(SOURCE).as_posix() not in MODULES:
            assert not without_device(path.read_text()), path
