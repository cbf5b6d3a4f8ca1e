import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from arcal.data import InMemory
from arcal.errors import ArcalError


def part(ids: Sequence[int] = (7, 3, 90), labels: Sequence[int] = (0, 1, 1)) -> InMemory:
    N = len(ids)
    pixels = torch.arange(N * 12, dtype=torch.uint8).view(N, 3, 2, 2)
    return InMemory("toy/train", torch.tensor(ids), torch.tensor(labels), ("cat", "dog"), pixels)


@given(st.lists(st.integers(-(2**62), 2**62), unique=True, min_size=1, max_size=30), st.data())
def test_subset_keeps_the_order_of_the_ids_and_all_that_belongs_to_them(ids, data):
    whole = part(ids, [id % 2 for id in ids])
    wanted = data.draw(st.lists(st.sampled_from(ids), unique=True))
    some = whole.subset(torch.tensor(wanted, dtype=torch.int64))
    assert some.ids.tolist() == wanted
    assert some.labels.tolist() == [id % 2 for id in wanted]
    for at, id in enumerate(wanted):
        assert torch.equal(some.pixels[at], whole.pixels[ids.index(id)])


@pytest.mark.parametrize("unknown", [-1, 4, 91])
def test_an_unknown_id_raises(unknown):
    with pytest.raises(ArcalError, match=f"^toy/train has no id {unknown}: 1 of the 2 ids"):
        part().subset(torch.tensor([3, unknown]))
    with pytest.raises(ArcalError, match="has no id 3: it is empty"):
        part().subset(torch.tensor([], dtype=torch.int64)).subset(torch.tensor([3]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": torch.tensor([7, 3, 7])}, "id 7 occurs more than once"),
        ({"ids": torch.tensor([7, 3])}, "2 ids but 3 labels"),
        ({"ids": torch.tensor([7, 3, 9]).int()}, "ids must be int64"),
        ({"ids": torch.tensor([[7], [3], [9]])}, "ids must be int64"),
        ({"labels": torch.tensor([0, 2, 0])}, r"label 2 of id 3 is not in \[0, 2\)"),
        ({"labels": torch.tensor([0, 1, -1])}, r"label -1 of id 90 is not in \[0, 2\)"),
        ({"labels": [0, 1, 1]}, r"labels are a list: give a tensor, such as torch.tensor\(labels"),
        ({"pixels": np.zeros((3, 3, 2, 2))}, "pixels are an ndarray: give a tensor"),
        ({"labels": torch.tensor([0.0, 1.0, 1.0])}, "labels must be int64"),
        ({"pixels": torch.zeros(2, 3, 2, 2, dtype=torch.uint8)}, "2 images but 3 ids"),
        ({"pixels": torch.zeros(3, 3, 2, 2)}, "pixels must be uint8"),
        ({"pixels": torch.zeros(3, 2, 2, dtype=torch.uint8)}, "pixels must be uint8"),
    ],
)
def test_what_does_not_fit_together_raises(changes, message):
    with pytest.raises(ArcalError, match=message) as raised:
        dataclasses.replace(part(), **changes)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("changed", ["labels", "pixels"])
def test_what_is_changed_in_place_is_another_part(changed):
    whole = part()
    first = whole.fingerprint()
    getattr(whole, changed)[0] += 1
    assert whole.fingerprint() != first


def test_the_fingerprint_is_of_ids_labels_and_pixels_and_of_nothing_else():
    whole = part()
    expected = hashlib.sha256(b"(3, 2, 2)")
    for number in (*whole.ids.tolist(), *whole.labels.tolist()):
        expected.update(number.to_bytes(8, "little"))
    expected.update(bytes(range(36)))
    assert whole.fingerprint() == expected.hexdigest()[:16]
    assert dataclasses.replace(whole, name="other").fingerprint() == whole.fingerprint()
    strided = whole.pixels.to(memory_format=torch.channels_last)
    assert dataclasses.replace(whole, pixels=strided).fingerprint() == whole.fingerprint()
    pixels = whole.pixels.clone()
    pixels[2, 2, 1, 1] += 1
    others = [part(ids=(7, 3, 91)), part(labels=(1, 1, 1))]
    others.append(dataclasses.replace(whole, pixels=pixels))
    assert len({whole.fingerprint(), *(other.fingerprint() for other in others)}) == 4
