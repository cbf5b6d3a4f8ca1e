"""What a user types: which part validates, which images are resized."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from arcal.audits import Examples, Job, NamedData, NamedModel, Reading, Settings, open_job
from arcal.data import load_part
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


def job(folder, data="data", validation=None, normalize=(), R=2, other=(), **reading):
    named = NamedData(
        str(folder / data),
        Reading(**reading),
        validation=None if validation is None else str(folder / validation),
        other=[str(folder / one) for one in other],
    )
    model = NamedModel(f"{folder / 'bright.py'}:bright", normalize=normalize)
    return open_job(model, named, Settings(), name="bright", panel=None, R=R)


def test_the_validation_part_of_a_data_set_validates(folder):
    validation = job(folder, validation="data").validation
    assert isinstance(validation, Examples)
    assert validation.name == "data/validation"
    assert len(validation) == 20


def test_validation_data_that_lacks_a_class_has_the_numbers_of_the_audited(folder):
    for place, names in (("photos", "abc"), ("more", "bc"), ("wrong", "bd")):
        for i, name in enumerate(names * 3):
            (folder / place / name).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (28, 28), (i, len(place), 0)).save(folder / place / name / f"{i}.png")
    validation = job(folder, "photos", "more").validation
    assert isinstance(validation, Examples)
    assert validation.labels.unique().tolist() == [1, 2]
    with pytest.raises(ArcalError, match="'d'"):
        job(folder, "photos", "wrong")
    x, y = torch.rand(60, 2), torch.arange(60) % 2
    several = [Examples.from_tensors(x, y, name=n, classes=n) for n in ("ab", "bc")]
    swapped = Job("linear", torch.nn.Linear(2, 2).eval(), several[0], validation=several[1])
    with pytest.raises(ArcalError, match="bc has the classes b, c, and ab a, b: load both"):
        swapped.checked()


def test_other_images_need_no_folders_of_classes_and_are_not_the_audited_ones(folder):
    generator = np.random.default_rng(1)
    (folder / "flat").mkdir()
    for i in range(6):
        image = Image.fromarray(generator.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        image.save(folder / "flat" / f"{i}.png")
        (folder / "photos" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        image.save(folder / "photos" / "ab"[i % 2] / f"{i}.png")
    (other,) = job(folder, size=28, other=["flat"]).other
    assert isinstance(other, Examples)
    assert other.part is not None
    assert (len(other), other.part.shape) == (6, (1, 28, 28))
    (caveat,) = job(folder, "photos", other=["flat"]).caveats
    assert caveat.sentence.startswith("6 of the 6 inputs of flat are in photos as well")
    (folder / "flat" / "2.png").write_bytes((folder / "flat" / "3.png").read_bytes()[:-1] + b"x")
    (caveat,) = job(folder, "photos", other=["flat"]).caveats
    assert caveat.sentence.startswith("5 of the 6 inputs of flat are in photos as well")
    with pytest.raises(ArcalError, match="flat holds images and no folders of classes, so they"):
        job(folder, "flat")


def test_the_audited_inputs_do_not(folder):
    with pytest.raises(ArcalError, match="is data/test, the audited data: give other inputs"):
        job(folder, validation="data-test.parquet")


def test_a_table_of_too_many_columns_says_which_it_has(folder):
    (folder / "rows.csv").write_text("a,b,much,label\n1,2,3,0\n4,5,6,1\n")
    (folder / "two.py").write_text("import torch\ndef net(x): return x @ torch.eye(2)\n")
    model, data = NamedModel(f"{folder / 'two.py'}:net"), NamedData(str(folder / "rows.csv"))
    with pytest.raises(
        ArcalError,
        match=r"inputs .*; it was given the 3 columns a, b, much: name those .* --columns$",
    ):
        open_job(model, data, Settings(order=None), name="two", panel=None).checked()


def test_a_normalisation_has_a_name(folder):
    x = torch.rand(5, 3, 32, 32)
    given, plain = job(folder, normalize=("cifar",)).model, job(folder).model
    mean, std = torch.tensor([[0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]])[..., None, None]
    torch.testing.assert_close(given(x), plain((x - mean) / std))
    x = torch.rand(5, 1, 32, 32)
    torch.testing.assert_close(job(folder, normalize=("none",)).model(x), plain(x))


def test_the_model_s_order_of_classes_can_be_given(folder):
    """Labels that are names: sorted, unless the order of the model's outputs is said."""
    header = "file_name,label"
    pixels = {"a.png": 20, "b.png": 230}
    for name, value in pixels.items():
        Image.new("L", (32, 32), value).save(folder / name)
    (folder / "named.csv").write_text(f"{header}\na.png,shadow\nb.png,light\n")
    for classes, labels in (((), [1, 0]), (("shadow", "light"), [0, 1])):
        named = job(folder, data="named.csv", classes=classes)
        assert named.examples is not None
        assert named.examples.labels.tolist() == labels
        assert named.classes == (classes or None)
    with pytest.raises(ArcalError, match=r"'shadow' is none of the model's 2 classes \(dark"):
        job(folder, data="named.csv", classes=("dark", "light"))


@pytest.mark.parametrize(("bits", "warned"), [(12, True), (16, False)])
def test_scans_of_which_8_bits_keep_few_shades_are_warned_of(tmp_path, bits, warned):
    for label in ("ill", "well"):
        (tmp_path / label).mkdir()
        for i in range(6):
            pixels = np.random.default_rng(i).integers(0, 2**bits, (8, 8))
            Image.fromarray(pixels.astype(np.uint16)).save(tmp_path / label / f"{i}.png")
    examples = Examples.from_part(load_part(tmp_path))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2)).eval()
    said = [one.sentence for one in Job("scans", model, examples).checked().caveats]
    assert [" 8 bits a channel leave 17 shades: " in line for line in said] == [True] * warned
