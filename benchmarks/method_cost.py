"""What an epoch of AR-AdaLS and of a lockstep ensemble costs, against vanilla and single members.

    python -m benchmarks.method_cost

Trains on embedded images on one thread, each kind in turn, several times over, and prints ratios of
processor time. All of them include validation; levels are assigned beforehand.
"""

from statistics import median
from time import process_time

import torch
import tyro

from arcal.compute.device import fabric_on
from arcal.compute.processes import keep_memory
from arcal.data import Data, load
from arcal.methods import ARAdaLS, Method, Vanilla
from arcal.networks import build
from arcal.training._fit import Member, fit
from arcal.training.draws import draw
from arcal.training.recipes import RECIPES


def main(members: int = 3, rounds: int = 5) -> None:
    """Time one epoch of each kind, `rounds` times in turn; an ensemble has `members`."""
    torch.set_num_threads(1)
    keep_memory()
    data = load("fashion")
    kinds = {"vanilla": (Vanilla, 1), "ar-adals": (ARAdaLS, 1), "lockstep": (ARAdaLS, members)}
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for round_ in range(rounds + 1):
        for kind, (method, count) in kinds.items():
            took = epoch(data, method(len(data.classes)), count)
            if round_:  # the first warms up
                seconds[kind].append(took)
    adaptive = [a / v for a, v in zip(seconds["ar-adals"], seconds["vanilla"], strict=True)]
    together = [
        t / (members * a) for t, a in zip(seconds["lockstep"], seconds["ar-adals"], strict=True)
    ]
    print(f"vanilla: {median(seconds['vanilla']):.2f} s an epoch")
    print(f"AR-AdaLS over vanilla: {median(adaptive):.3f}")
    print(f"lockstep of {members} over {members} single ones: {median(together):.3f}")


def epoch(data: Data, method: Method, count: int) -> float:
    """Seconds of processor time of one epoch of `count` members."""
    if isinstance(method, ARAdaLS):
        for part, name in ((data.train, "train"), (data.validation, "validation")):
            method.assign(name, part.ids, torch.arange(len(part)) % method.R)
    members = [
        Member(build("small", classes=10, shape=data.shape, generator=draw(seed, "init")), seed)
        for seed in range(count)
    ]
    recipe = RECIPES["demo"].shortened(1)
    begin = process_time()
    fit(members, method, recipe, data.train, data.validation, fabric=fabric_on("cpu"))
    return process_time() - begin


if __name__ == "__main__":
    tyro.cli(main)
