"""What a user types: which part validates, which images are resized."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from arcal.audits import Reading, Settings, open_job
from arcal.errors import ArcalError

MODEL = """
import torch

def bright(x):
    lead = 8 * (x.mean((1, 2, 3)) - 0.5)
    return torch.stack([-lead, lead], dim=1)
"""


@pytest.fixture
def folder(tmp_path):
    """A model of any images, and grey ones of 32 x 32 in a test and a validation part."""
    (tmp_path / "bright.py").write_text(MODEL)
    generator = np.random.default_rng(0)
    for part, count in (("test", 30), ("validation", 20)):
        images = []
        for pixels in generator.integers(0, 256, (count, 32, 32), dtype=np.uint8):
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            images.append({"bytes": file.getvalue(), "path": None})
        table = pa.table({"image": images, "label": np.arange(count) % 2})
        pq.write_table(table, tmp_path / f"data-{part}.parquet")
    return tmp_path


def job(folder, validation=None, **reading):
    return open_job(
        f"{folder / 'bright.py'}:bright", str(folder / "data"), Reading(**reading), Settings(),
        weights=None, normalize=None, name="bright", panel=None,
        validation=None if validation is None else str(folder / validation), other=(),
        limit=None, R=2,
    )  # fmt: skip


def test_the_validation_part_of_a_data_set_validates(folder):
    validation = job(folder, "data").validation
    assert validation is not None
    assert validation.name == "data/validation"
    assert len(validation) == 20


def test_the_audited_inputs_do_not(folder):
    with pytest.raises(ArcalError, match="is data/test, the audited data: give other inputs"):
        job(folder, "data-test.parquet")


@pytest.mark.parametrize(("size", "how"), [(32, "as they are"), (24, "short side resized to 27")])
def test_images_that_have_the_size_are_left_as_they_are(folder, size, how):
    examples = job(folder, size=size).examples
    assert examples is not None
    assert examples.part is not None
    assert examples.part.shape == (1, size, size)
    assert how in examples.facts["Images"]
