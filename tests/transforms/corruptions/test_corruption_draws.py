"""Random numbers by image id: one stream an id, type, intensity and seed, in any batch."""

import hashlib

import numpy as np
import torch

from arcal.transforms.corruptions.draws import Draws


def draws(ids, type="snow", intensity=2, seed=5):
    return Draws(torch.tensor(ids), type=type, intensity=intensity, seed=seed)


def test_a_stream_is_philox_under_its_key():
    """Written out from the key to the numbers, one image after the other."""
    mean = torch.rand(2, 3, 4, dtype=torch.float64) * 50
    ours = draws([77, -1])
    found = [ours.normal(2, 3), ours.uniform(-2, 5), ours.integers(-1, 1, 4), ours.poisson(mean)]
    for row, id in enumerate([77, 2**64 - 1]):
        digest = hashlib.sha256(b"5/snow/2").digest()
        key = np.array([int.from_bytes(digest[:8], "little"), id], dtype=np.uint64)
        generator = np.random.Generator(np.random.Philox(key=key))
        assert (found[0][row].numpy() == generator.normal(size=(2, 3))).all()
        assert found[1][row].item() == generator.uniform(-2, 5)
        assert (found[2][row].numpy() == generator.integers(-1, 1, 4)).all()
        assert (found[3][row].numpy() == generator.poisson(mean[row].numpy())).all()
    assert [x.shape for x in found] == [(2, 2, 3), (2,), (2, 4), (2, 3, 4)]
    assert [x.dtype for x in found] == [torch.float64] * 2 + [torch.int64, torch.float64]
