"""Are the official corrupted images what our random numbers could have made?"""

import numpy as np
import torch

from arcal.transforms.corruptions import corrupt


def assert_plausible(official, type, draws=12):
    """At every intensity the official draw is no outlier among ours of the same 20 images.

    By the mean and deviation of the change, its size, the PSNR, and the deviation of the result.
    Beyond four deviations between draws, 3 % are allowed.
    """
    clean = official["clean"].astype(float)
    images = torch.from_numpy(official["clean"]).permute(0, 3, 1, 2)
    ids = torch.from_numpy(official["official_test_index"])

    def statistics(corrupted):
        change = corrupted - clean
        psnr = 10 * np.log10(255**2 / (change**2).mean((1, 2, 3)))
        size = np.abs(change).mean()
        return np.array([change.mean(), change.std(), size, psnr.mean(), corrupted.std()])

    for intensity in range(1, 6):
        options = {"type": type, "intensity": intensity}
        ours = [corrupt(images, ids, **options, seed=seed) for seed in range(draws)]
        ours = np.stack([statistics(draw.permute(0, 2, 3, 1).numpy()) for draw in ours])
        theirs = statistics(official[type][intensity - 1])
        allowed = 4 * ours.std(0, ddof=1) + 0.03 * np.abs(ours.mean(0))
        assert (np.abs(theirs - ours.mean(0)) < allowed).all(), f"{options}: {theirs}, {ours}"
