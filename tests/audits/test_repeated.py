"""Inputs that are audited more than once are counted, and said."""

import numpy as np
import torch
from PIL import Image
from torch import nn

import arcal
from arcal.audits import Examples
from arcal.audits._overlap import overlap
from arcal.data import load_part


def test_images_given_twice_are_said_at_the_top_and_rows_of_a_table_are_not():
    x = torch.rand(60, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    x[7], x[40], x[9] = x[0], x[1], x[0]
    y = torch.arange(60) % 2
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).eval()
    said = arcal.audit(model, (x, y), order=None, shift=[]).summary(None)
    said = " ".join(said.split())
    assert "5 of the 60 images occur more than once, and they have several labels" in said
    assert "which cannot all be right: input 0 is input 7" in said
    assert "more than once" not in arcal.audit(model[1], (x.flatten(1), y), order=None).summary(
        None
    )


def test_images_in_files_are_compared_with_the_same_in_memory(tmp_path):
    """Twenty photographs as PNG, and eight of them, and two others, as an array."""
    pixels = torch.randint(256, (22, 8, 8, 3), dtype=torch.uint8).numpy()
    for i, image in enumerate(pixels[:20]):
        folder = tmp_path / "photos" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i:02}.png")
    np.savez(tmp_path / "some.npz", images=pixels[12:].transpose(0, 3, 1, 2), labels=[0, 1] * 5)
    files, arrays = (load_part(str(tmp_path / one)) for one in ("photos", "some.npz"))
    audited, other = map(Examples.from_part, (files, arrays))
    both = "8 of the 10 validation inputs are audited as well, so calibrators look better than"
    assert overlap(audited, other)[0].sentence.startswith(both)
    assert overlap(other, audited)[0].sentence.startswith("8 of the 20 validation inputs are")
    (caveat,) = overlap(audited, None, [other, Examples.from_part(files)])
    assert "8 of the 10 inputs of " in caveat.sentence
    assert "20 of the 20 inputs of " in caveat.sentence
