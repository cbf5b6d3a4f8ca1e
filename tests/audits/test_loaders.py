"""Loaders of data: processes that decode ahead change no byte of what is written, and no error."""

import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    TensorDataset,
    WeightedRandomSampler,
)

import arcal
from arcal.data import WithIds
from arcal.errors import ArcalError
from command_line import arcal as run_arcal

NET = """import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 3))
"""


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    generator = np.random.default_rng(0)
    for i in range(420):  # three blocks
        path = tmp_path / "photos" / "abc"[i % 3] / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (20, 24, 3), np.uint8)).save(path)
    return tmp_path / "photos"


def written(command, out, *options):
    done = run_arcal(command, "net.py:net", "photos", "--size", 28, "--out", out, "-q", *options)
    assert done.code == 0, done.stderr
    return out


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where there is one core only
def test_scores_are_the_same_bytes(photos, tmp_path):
    order = ["--order", "margin"]
    plain = written("score", tmp_path / "plain.parquet", *order)
    ahead = written("score", tmp_path / "ahead.parquet", *order, "--loaders", 2)
    assert plain.read_bytes() == ahead.read_bytes()


def test_a_loader_that_shuffles_is_right_for_one_model_and_refused_for_several():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2)).eval()
    X, Y = torch.rand(40, 16), torch.arange(40) % 3 % 2
    data = TensorDataset(X, Y)
    shuffled = DataLoader(data, batch_size=16, shuffle=True)
    numbered = DataLoader(WithIds(data), batch_size=16, shuffle=True)
    plain, one, same = (
        arcal.audit(model, of, order="margin") for of in ((X, Y), shuffled, numbered)
    )
    nll = plain.models[0].overall.nll.value
    assert one.models[0].overall.nll.value == pytest.approx(nll, rel=1e-5)
    said = [
        "an id here is a place in its order" in " ".join(of.summary().split())
        for of in (plain, one, same)
    ]
    assert said == [False, True, False]
    expected = pytest.approx(plain.figures()["model"], rel=1e-4, abs=1e-6, nan_ok=True)
    assert same.figures()["model"] == expected
    scores, in_order = (
        arcal.score(model, of, order="margin") for of in (numbered, [(torch.arange(40), X, Y)])
    )
    torch.testing.assert_close(scores.robustness, in_order.robustness[scores.ids])
    before = [arcal.calibrate(model, of, calibrators=[]).choice.before for of in (shuffled, data)]
    assert before[0].nll.value == pytest.approx(before[1].nll.value, rel=1e-5)

    def refuse(x):
        raise AssertionError("a model ran")

    with pytest.raises(
        ArcalError, match="shuffles, so each model would get the inputs in another order"
    ):
        arcal.audit({"a": refuse, "b": refuse}, shuffled)
    both = arcal.audit({"a": model, "b": model}, numbered, order="margin")
    first, second = both.figures().values()
    assert first == expected
    assert {name: value for name, value in second.items() if name in first} == expected
    assert second["difference.churn"] == 0
    # Each model has batches of its own, which round in their own way.
    assert second["difference.nll"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("run", [arcal.audit, arcal.score])
def test_a_batch_of_ids_that_were_there_or_of_labels_that_are_none_is_not_run(run):
    ids, x, labels = torch.arange(16), torch.rand(16, 4), torch.arange(16) % 2
    shown = []

    def model(x):
        shown.append(x.detach().clone())
        return 2 * x[:, :2]

    wrong = [(ids, labels, "id 0 occurs twice")]
    if run is arcal.audit:
        wrong.append((ids + 16, labels - 1, "the label of row 0 is -1"))
    for its_ids, its_labels, says in wrong:
        marked = torch.full_like(x, 0.75)
        with pytest.raises(ArcalError, match=says):
            run(model, [(ids, x, labels), (its_ids, marked, its_labels)], order="margin")
    assert not any((one == 0.75).any() for one in shown)


X, Y = torch.full((16, 4), 0.5), torch.arange(16) % 2


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ((X * torch.nan, Y), "an input holds NaN"),
        ((X, Y + 1), "the label of row 1 is 2"),
        ((X, Y[:9]), "labels have shape"),
        ((2 * X + 1, Y), "outside the bounds"),
        (X, "a batch is a Tensor"),
    ],
)
def test_what_is_wrong_in_a_later_batch_says_in_which(bad, says):
    model = torch.nn.Linear(4, 2).eval()
    with pytest.raises(ArcalError, match=f"^batch 3 of the loader, after 32 inputs: .*{says}"):
        arcal.audit(model, [(X, Y), (X, Y), bad], order="margin")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as caught:
        arcal.audit(model, [(X, Y), (X[:, :3], Y)], order="margin")
    assert caught.value.__notes__ == ["arcal: in batch 2 of the loader, after 16 inputs"]


class Stream(IterableDataset):
    """The rows of `X`, all of which every worker yields."""

    def __iter__(self):
        return zip(torch.eye(16, 4), Y, strict=True)


DRAWN = WeightedRandomSampler([1.0] * 16, 16)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where there is one core only
@pytest.mark.parametrize("run", [arcal.audit, arcal.calibrate])
@pytest.mark.parametrize(
    ("data", "options", "says"),
    [
        (TensorDataset(X, Y), {"sampler": DRAWN}, "draws some inputs more than once"),
        (Stream(), {"num_workers": 2}, "each of the loader's workers yields the same inputs"),
    ],
)
def test_inputs_that_are_there_twice_without_ids_are_refused(run, data, options, says):
    with pytest.raises(ArcalError, match=says):
        run(torch.nn.Linear(4, 2).eval(), DataLoader(data, 8, **options))


class Pairs(Dataset):
    """A data set that yields what it is given, by position."""

    def __init__(self, *items):
        self.items = items

    def __getitem__(self, i):
        return self.items[i]


class Sized(Pairs):
    """The same with a length."""

    def __len__(self):
        return len(self.items)


class Singles(IterableDataset):
    """Single inputs, one after the other."""

    def __iter__(self):
        return iter([(torch.rand(3), 0)])


PICTURE = Image.new("RGB", (4, 4)), 0
SEVERAL = (torch.rand(3, 4, 4), 0), (torch.rand(3, 4, 5), 1)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (Sized(PICTURE), "yields Pillow images): turn them into tensors of one size"),
        (
            Sized(*SEVERAL * 9),
            "bring its inputs to one size, images such as by `transforms.Resize`",
        ),
        (Sized((torch.rand(3), None)), "found <class 'NoneType'>): give a DataLoader with a `coll"),
        (Pairs(PICTURE), "the data set, a Pairs, has no length: give it `__len__`"),
        (Singles(), "a batch has one label and no list of them, as single inputs have"),
        ([{"x": [0.5, 0.25], "label": 1}], "the inputs of data are lists of numbers: make tens"),
        ({"test": Singles()}, "data is a dict: give a loader, a data set, a pair"),
        ([object()], "a batch is an object: give (x, labels), (ids, x, labels), or a dict with "),
        ([object()], "with `labels`, or predictions alone, by `as_predictions`"),
        ([(torch.rand(2, 3, 4), [0, 1], [5.0, 6.0])], "three is (2, 3, 4), which are no ids"),
        ([(torch.rand(2, 3), [0, 1], [{}, {}])], "three is (2, 3), which are no ids, and the la"),
        ([(torch.rand(2, 3), [0, 1], [5, 6], [7, 8])], "a batch is a tuple of 4: give (x, labels)"),
        ("photos", "data is a path: give what `arcal.data.load_part` reads from it"),
    ],
)
def test_data_that_are_no_batches_are_told_how_to_be(data, says):
    net = nn.Sequential(nn.Flatten(), nn.LazyLinear(3)).eval()
    for run in (arcal.audit, arcal.score, arcal.calibrate):
        with pytest.raises(ArcalError, match=re.escape(says)) as raised:
            run(net, data)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["module", "function"])
@pytest.mark.parametrize("width", [2, 1, 0])
def test_the_first_of_several_outputs_is_said_to_be_taken(kind, width):
    class Two(torch.nn.Module):
        def forward(self, x):
            other = x[:, :width] if width else x[:, 0]
            return (other, 2 * x[:, :2]) if width == 0 else (2 * x[:, :width], other)

    def logits(x):
        return 2 * x[:, : width or 2]

    x, y = torch.rand(40, 4), torch.arange(40) % 2
    two = Two().eval() if kind == "module" else Two().forward
    said = "that may be its logits, and the first is taken"
    for data in ((x, y), DataLoader(TensorDataset(x, y), 16)):
        audit = arcal.audit(two, data, order=None)
        assert " ".join(audit.summary().split()).count(said) == 1
        alone = arcal.audit(logits, data, order=None)
        assert said not in " ".join(alone.summary().split())
        assert audit.models[0].overall.nll == alone.models[0].overall.nll
        with pytest.warns(UserWarning, match=said):
            scores = arcal.score(two, data, "margin")
        assert torch.equal(scores.robustness, arcal.score(logits, data, "margin").robustness)
