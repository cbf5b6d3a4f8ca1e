"""Which order of suspects finds wrong labels, and whether robustness tells where people disagree.

    python -m benchmarks.suspects --data PATH
    python -m benchmarks.suspects --data PATH --weights PATH --oracles PATH

The first chooses the order: 5 % of the labels of validation images are replaced, and each of
`ORDERS` ranks the images. Labels are replaced by any other class, by one drawn from the network's
own confusions, or by the other class that it finds most probable. Two small networks that never saw
these images are used: one for embedded Fashion-MNIST, trained as in the demo, and one for `data`,
CIFAR-10, trained for 10 epochs.

The second then reports, once, on the official test images of CIFAR-10 with a third-party ResNet-20
from `weights`. The folder `oracles` has `cifar10-label-errors.json`, five people's votes on
suspected labels (Northcutt et al., 2021), and `cifar10h-probs.npy`, the shares of some fifty
people's labels of each image (Peterson et al., 2019). Networks and distances are kept in `cache`,
and a killed run continues. `attack` is the attack on the official images.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor, nn

from arcal.attacks import attack_named
from arcal.auditing import Predictions
from arcal.audits import Examples, Job, Settings, run_jobs
from arcal.calibration import auroc, entropy
from arcal.compute.processes import keep_memory
from arcal.data import Part, load, load_test
from arcal.ranks import levels, rank
from arcal.training import RECIPES, Run, train
from arcal.training.saved_run import model_of
from benchmarks.networks import resnet20
from benchmarks.table import spearman

SHARE = 0.05
EPOCHS = 10
QUICK = "boundary-projection-quick"
MAJORITY = 3
"""Of five people: with fewer who confirm it, a label is wrong."""

Draw = Callable[[Predictions, Tensor, torch.Generator], Tensor]


def own_probability(predictions: Predictions, robustness: Tensor) -> Tensor:
    """Log p_y of the label y, by which `arcal.auditing.suspects` sorts."""
    return predictions.log_probabilities.gather(1, predictions.labels[:, None])[:, 0]


def label_margin(predictions: Predictions, robustness: Tensor) -> Tensor:
    """Log p_y - log p_k of the label y and the most probable other class k."""
    labels = predictions.labels[:, None]
    others = predictions.log_probabilities.scatter(1, labels, -torch.inf)
    return own_probability(predictions, robustness) - others.amax(dim=1)


def normalised_probability(predictions: Predictions, robustness: Tensor) -> Tensor:
    """p_y minus the mean of p_y over all inputs with the label y.

    So a label that the model is never sure of is not all suspects: what confident learning
    normalises by (Northcutt et al., 2021).
    """
    p, labels = own_probability(predictions, robustness).exp(), predictions.labels
    sums = torch.bincount(labels, weights=p, minlength=predictions.classes)
    return p - (sums / torch.bincount(labels, minlength=predictions.classes))[labels]


def signed_certainty(predictions: Predictions, robustness: Tensor) -> Tensor:
    """How far the entropy is below log Z, in nats, negative where the label is not predicted."""
    log_p = predictions.log_probabilities
    certainty = torch.tensor(predictions.classes).double().log() - entropy(log_p)
    return torch.where(predictions.correct, certainty, -certainty)


def signed_distance(predictions: Predictions, robustness: Tensor) -> Tensor:
    """The robustness, negative where the label is not predicted."""
    return torch.where(predictions.correct, robustness, -robustness)


ORDERS: Mapping[str, Callable[[Predictions, Tensor], Tensor]] = {
    "own-probability": own_probability,
    "margin": label_margin,
    "normalised": normalised_probability,
    "entropy": signed_certainty,
    "distance": signed_distance,
}
"""By name what suspects are put in order by: `(N,)`, the lowest is the most suspect."""

OURS = "own-probability"
"""The order that arcal has."""


def places(predictions: Predictions, robustness: Tensor, order: str) -> Tensor:
    """As `arcal.auditing.suspicion`, by any of `ORDERS`."""
    place = rank(ORDERS[order](predictions, robustness), predictions.ids)
    return (place + len(place) * predictions.correct).argsort().argsort()


def main(
    data: str,
    weights: Path | None = None,
    oracles: Path | None = None,
    attack: str = "boundary-projection",
    cache: Path = Path(".benchmarks"),
    draws: int = 20,
) -> None:
    """Print how many replaced labels every order finds, and then how many wrong ones."""
    torch.set_num_threads(1)
    keep_memory()
    for run in (
        Run(recipe=RECIPES["demo"]),
        Run(data, recipe=RECIPES["small"].shortened(EPOCHS)),
    ):
        images = load(run.data)
        model = model_of(train(run, cache / "runs", data=images))
        predictions, robustness = predictions_and_distances(
            "small", model, images.validation, cache, QUICK
        )
        accuracy = predictions.correct.double().mean()
        print(f"\n{images.validation.name}: {len(predictions.ids)} images, accuracy {accuracy:.3f}")
        for name, draw in REPLACEMENTS.items():
            print(f"\n{SHARE:.0%} of the labels replaced, {name}, {draws} draws\n")
            print(planted(predictions, robustness, draw, draws))
    if weights is not None and oracles is not None:
        test = load_test(data)
        predictions, robustness = predictions_and_distances(
            "resnet20", resnet20(weights), test, cache, attack
        )
        print(f"\n{test.name}, ResNet-20: verified wrong labels\n")
        print(verified(predictions, robustness, oracles / "cifar10-label-errors.json"))
        people = torch.from_numpy(np.load(oracles / "cifar10h-probs.npy"))[predictions.ids]
        print("\nentropy of people's labels in nats, by level\n")
        print(disagreement(predictions, robustness, people))


def predictions_and_distances(
    name: str, model: nn.Module, part: Part, cache: Path, attack: str
) -> tuple[Predictions, Tensor]:
    """A model's predictions for a part, by ascending id, and the distance of each image."""
    settings = Settings(attack=attack_named(attack))
    job = Job(name, model, Examples.from_part(part), settings=settings)
    (one,) = run_jobs([job], work=cache / "work")
    assert one.robustness is not None
    return one.predictions, one.robustness.robustness


def uniform(predictions: Predictions, chosen: Tensor, generator: torch.Generator) -> Tensor:
    """Any other class, all equally likely."""
    Z = predictions.classes
    step = torch.randint(1, Z, chosen.shape, generator=generator)
    return (predictions.labels[chosen] + step) % Z


def confused(predictions: Predictions, chosen: Tensor, generator: torch.Generator) -> Tensor:
    """Another class, as often as inputs of this label are taken for it; any one if none is."""
    Z, labels = predictions.classes, predictions.labels
    counts = torch.bincount(labels * Z + predictions.predicted, minlength=Z * Z).view(Z, Z).double()
    counts = (counts + 1e-6).fill_diagonal_(0)
    return torch.multinomial(counts[labels[chosen]], 1, generator=generator)[:, 0]


def second_choice(predictions: Predictions, chosen: Tensor, generator: torch.Generator) -> Tensor:
    """The most probable class that is not the label."""
    labels = predictions.labels[chosen, None]
    return predictions.log_probabilities[chosen].scatter(1, labels, -torch.inf).argmax(dim=1)


REPLACEMENTS: Mapping[str, Draw] = {
    "by any other class": uniform,
    "as the network confuses them": confused,
    "by its most probable other class": second_choice,
}


def planted(predictions: Predictions, robustness: Tensor, draw: Draw, draws: int) -> str:
    """A table of the orders: mean and deviation over draws of the labels that are replaced."""
    N = len(predictions.ids)
    n = round(SHARE * N)
    results = {order: torch.empty(draws, 4, dtype=torch.float64) for order in ORDERS}
    for seed in range(draws):
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(N, generator=generator)[:n]
        labels = predictions.labels.clone()
        labels[chosen] = draw(predictions, chosen, generator)
        wrong = torch.zeros(N, dtype=torch.bool)
        wrong[chosen] = True
        changed = replace(predictions, labels=labels)
        for order, rows in results.items():
            place = places(changed, robustness, order)
            first = [wrong[place < k].double().mean() for k in (50, 100, n)]
            rows[seed] = torch.tensor([separated(place, wrong), *first])
    header = ["order", "AUROC", *(f"right of the first {k}" for k in (50, 100, n))]
    header += [f"of the first {n}, minus {OURS}'s"]
    lines = [header]
    for order, rows in results.items():
        paired = rows[:, -1] - results[OURS][:, -1]
        lines.append([order, *map(spread, rows.T), spread(paired, "+")])
    return table(lines)


def verified(predictions: Predictions, robustness: Tensor, votes: Path) -> str:
    """A table of the orders: how many of the labels that people did not confirm come first."""
    wrong = torch.zeros(len(predictions.ids), dtype=torch.bool)
    for row in json.loads(votes.read_bytes()):
        (position,) = (predictions.ids == row["id"]).nonzero()[:, 0]
        assert predictions.labels[position] == row["given_original_label"], row["id"]
        wrong[position] = row["mturk"]["given"] < MAJORITY
    first = (50, 100, 200)
    lines = [["order", *(f"of {int(wrong.sum())} in the first {k}" for k in first), "AUROC"]]
    for order in ORDERS:
        place = places(predictions, robustness, order)
        counts = [str(int(wrong[place < k].sum())) for k in first]
        lines.append([order, *counts, f"{separated(place, wrong):.3f}"])
    return table(lines)


def disagreement(predictions: Predictions, robustness: Tensor, people: Tensor, R: int = 10) -> str:
    """People's mean entropy in each level, and its rank correlation with what a model knows."""
    human = entropy(people.clamp(min=0).log())
    log_p = predictions.log_probabilities
    confidence = log_p.amax(dim=1).exp()
    lines = [["level by", *map(str, range(R)), "Spearman"]]
    for name, sure in (
        ("distance", robustness.double()),
        ("confidence", confidence),
        ("minus entropy", -entropy(log_p)),
    ):
        cut = levels(sure, predictions.ids, R)
        means = [f"{human[cut == r].mean():.3f}" for r in range(R)]
        lines.append([name, *means, f"{spearman(-sure, human):.3f}"])
    right = predictions.correct
    cut = levels(robustness, predictions.ids, R)
    for name, values in (("confidence", confidence), ("accuracy", right.double())):
        means = [f"{values[cut == r].mean():.3f}" for r in range(R)]
        lines.append([f"{name} in the levels by distance", *means, ""])
    return table(lines)


def separated(place: Tensor, wrong: Tensor) -> float:
    """The AUROC of the wrong labels by their place, the most suspect first."""
    return auroc(place[~wrong].double(), place[wrong].double())


def spread(values: Tensor, sign: str = "") -> str:
    """Mean ± standard deviation."""
    return f"{values.mean():{sign}.3f} ± {values.std():.3f}"


def table(lines: list[list[str]]) -> str:
    """Rows in Markdown, the header first."""
    header, *rows = lines
    return "\n".join(
        "| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]
    )


if __name__ == "__main__":
    tyro.cli(main)
