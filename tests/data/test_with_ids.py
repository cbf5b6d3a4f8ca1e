import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

from arcal.data import WithIds
from arcal.errors import ArcalError

X = torch.arange(20.0).view(10, 2)
Y = torch.arange(10) % 3


def test_a_loader_yields_ids_that_follow_their_inputs_through_a_shuffle():
    loader = DataLoader(
        WithIds(TensorDataset(X, Y)), 4, shuffle=True, generator=torch.Generator().manual_seed(1)
    )
    seen = []
    for ids, x, y in loader:
        assert ids.dtype == torch.int64
        assert torch.equal(x, X[ids])
        assert torch.equal(y, Y[ids])
        seen += ids.tolist()
    assert seen != sorted(seen)
    assert sorted(seen) == list(range(10))


def test_given_ids_are_kept():
    subset = Subset(TensorDataset(X, Y), [7, 2, 5])
    data = WithIds(subset, subset.indices)
    assert len(data) == 3
    assert [id for id, _, _ in (data[0], data[1], data[-1])] == [7, 2, 5]
    assert torch.equal(data[1][1], X[2])
    assert WithIds(subset, torch.tensor([10**12, 3, -1]))[0][0] == 10**12


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, 2], "ids must be 10 integers"),
        (torch.arange(10.0), "ids must be 10 integers"),
        (torch.arange(10).view(2, 5), "ids must be 10 integers"),
        ([0] * 10, "ids must be unique"),
        (list("abcdefghij"), "ids must be numbers, not text"),
    ],
)
def test_ids_that_do_not_fit_raise(ids, message):
    with pytest.raises(ArcalError, match=message):
        WithIds(TensorDataset(X, Y), ids)


def test_inputs_that_are_no_pairs_raise():
    rows: list = [{"image": 1, "label": 0}, (1, 2, 3), 5]
    for position, kind in enumerate(("dict", "tuple", "int")):
        with pytest.raises(ArcalError, match=f"input {position} is an? {kind}"):
            WithIds(rows)[position]


def test_a_data_set_without_a_length_raises():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(())

    with pytest.raises(ArcalError, match=r"needs a map-style data set.*Stream has none"):
        WithIds(Stream())
