"""Empty batches, tensors without values, undecoded files and data sets of no torch class."""

import pytest
from torch.utils.data import DataLoader

import arcal
from arcal.errors import ArcalError
from tests.audits.tiny import Brightness, X, Y


def score(model, data):
    return arcal.score(model, data, "margin").ids


def audit(model, data):
    return arcal.audit(model, data, order=None).models[0].predictions.ids


def several(model, data):
    return arcal.audit({"one": model, "two": model}, data, order=None).models[1].predictions.ids


def calibrate(model, data):
    return range(arcal.calibrate(model, data, calibrators=["temperature"]).choice.before.accuracy.n)


@pytest.fixture(params=[score, audit, several, calibrate])
def run(request):
    return request.param


@pytest.mark.parametrize("where", [0, 1, 2])
def test_empty_batches_are_skipped(run, where):
    batches = [(X[:30], Y[:30]), (X[30:], Y[30:])]
    batches.insert(where, (X[:0], Y[:0]))
    assert [*map(int, run(Brightness(), batches))] == [*range(40)]


def test_only_empty_batches_are_no_data(run):
    with pytest.raises(ArcalError, match="is empty"):
        run(Brightness(), [(X[:0], Y[:0])])


class OnlyByPosition:
    """Inputs and their labels `(1,)`, as in MedMNIST, in a class that is no data set of torch."""

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i], Y[i : i + 1]


def test_an_object_with_a_length_and_items_is_a_data_set(run):
    assert len(run(Brightness(), OnlyByPosition())) == 40


@pytest.mark.parametrize("which", ["input 'x'", "labels"])
def test_tensors_on_meta_have_no_values(run, which):
    data = (X.to("meta"), Y) if which == "input 'x'" else (X, Y.to("meta"))
    for some in (data, [data]):
        with pytest.raises(ArcalError, match=f"{which}.* is a tensor on meta, without values"):
            run(Brightness(), some)


class Undecoded:
    """Items as a data set of `datasets` gives them with `Audio(decode=False)`."""

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return {"audio": {"bytes": b"RIFF", "path": None if i else "a.wav"}, "label": i % 2}


def test_files_that_are_not_decoded_need_a_transform(run):
    loader = DataLoader([Undecoded()[0]] * 4, 2)  # pyright: ignore[reportArgumentType]
    for data in (Undecoded(), loader):
        with pytest.raises(
            ArcalError, match=r"not decoded, .*`with_transform` or by the `collate_"
        ):
            run(Brightness(), data)
