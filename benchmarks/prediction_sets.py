"""How often sets of classes with a probability above a threshold contain the right class.

    python -m benchmarks.prediction_sets --model MODEL --data DATA

A temperature is fitted on a random quarter of the inputs, the threshold is set on another, and both
are tested on the other half: split conformal prediction, as in docs/calibrate.md. For comparison,
classes are also added, from the most probable on, until their probabilities sum to the wanted
share, which trusts the probabilities and needs no threshold.
"""

import torch
import tyro
from torch import Tensor

from arcal.audits import NamedData, NamedModel, Settings, open_job
from arcal.calibration.posthoc import fit_temperature


def main(
    model: str, data: str, seeds: int = 20, shares: tuple[float, ...] = (0.9, 0.95, 0.99)
) -> None:
    """Print how often the sets contain the right class, and how many classes they have."""
    torch.set_num_threads(1)
    named = NamedModel(model), NamedData(data)
    job = open_job(*named, Settings(order=None), name=model, panel=()).checked()
    assert job.examples is not None
    predictions = job.predictions(job.examples)
    log_p, labels = predictions.log_probabilities, predictions.labels
    print(f"{len(labels):,} inputs; means of {seeds} random divisions")
    print("wanted  sets       hold the right class, %  classes  with one class, %")
    for share in shares:
        threshold, summed = [], []
        for seed in range(seeds):
            drawn = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
            fitted, searched, *tested = drawn.chunk(4)
            temperature = fit_temperature(log_p[fitted], labels[fitted])
            p = temperature(log_p).exp()
            true = p[searched, labels[searched]]
            lowest = true.kthvalue(int((1 - share) * (len(true) + 1))).values
            p, right = p[torch.cat(tested)], labels[torch.cat(tested)]
            threshold.append(figures(p >= lowest, right))
            falling, order = p.sort(dim=1, descending=True)
            needed = falling.cumsum(dim=1) - falling < share
            summed.append(figures(torch.zeros_like(needed).scatter(1, order, needed), right))
        for name, kind in (("threshold", threshold), ("summed", summed)):
            holds, classes, single = torch.stack(kind).mean(dim=0).tolist()
            print(f"{share:6.0%}  {name:9} {100 * holds:24.1f} {classes:8.2f} {100 * single:18.1f}")


def figures(sets: Tensor, labels: Tensor) -> Tensor:
    """How often sets `(N, Z)` contain the label, how many classes they have, and how often one."""
    classes = sets.sum(dim=1).double()
    holds = sets[torch.arange(len(labels)), labels].double()
    return torch.stack([holds.mean(), classes.mean(), (classes == 1).double().mean()])


if __name__ == "__main__":
    tyro.cli(main)
