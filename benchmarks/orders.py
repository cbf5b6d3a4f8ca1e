"""How well each order stands in for the attack, and what it costs.

    python -m benchmarks.orders

Uses the small network on embedded Fashion-MNIST, on images it was trained on and on test images.
All orders are compared with boundary projection at up to 500 passes.
"""

from pathlib import Path
from time import process_time

import torch
import tyro

from arcal.attacks import ATTACKS, BoundaryProjection
from arcal.compute.processes import keep_memory
from arcal.data import as_input, batches, load
from arcal.orders import ORDERS
from arcal.ranks import levels
from arcal.robustness import score
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import model_of
from benchmarks.table import spearman


def main(images: int = 2000, cache: Path = Path(".benchmarks")) -> None:
    """Score by every order."""
    torch.set_num_threads(1)
    keep_memory()
    data = load("fashion")
    model = model_of(train(Run(recipe=RECIPES["demo"]), cache / "runs", data=data))
    for part in (data.train, data.test):
        some = part.subset(part.ids[:images])
        with torch.no_grad():
            p = model(as_input(some.images(torch.arange(len(some))), "cpu")).softmax(dim=1)
        sure = [(p.amax(dim=1) > 1 - below).double().mean() for below in (1e-2, 1e-4)]
        print(
            f"\n{part.name}, {len(some)} images, a confidence above .99 on {sure[0]:.3f} and above "
            f".9999 on {sure[1]:.3f} of them; by order:"
        )
        best = None
        named = [("500 passes", BoundaryProjection(budget=500, reach=3.0)), *ATTACKS.items()]
        rows = [("attack", name, attack) for name, attack in named if name != "carlini-wagner"]
        for order, name, attack in rows + [(order, order, None) for order in ORDERS[1:]]:
            inputs = ((i, as_input(x, "cpu"), y) for i, x, y in batches(some, 100))
            began = process_time()
            scores = score(model, inputs, order, attack=attack)
            ms = 1000 * (process_time() - began) / len(some)
            best = best or scores
            values = scores.robustness
            by, same = levels(best.robustness, best.ids, 10), levels(values, scores.ids, 10)
            print(
                f"{name:26} {ms:6.2f} ms/image, Spearman {spearman(best.robustness, values):.4f}, "
                f"same decile {(by == same).double().mean():.3f}, "
                f"equal to another's {1 - len(values.unique()) / len(values):.3f}",
                flush=True,
            )


if __name__ == "__main__":
    tyro.cli(main)
