"""Ids of data in rows: whole numbers, or names of any kind, which are kept beside row numbers."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from toy_images import encode, random_images

from arcal.audits import Examples
from arcal.data import _load_part as module
from arcal.data import load_columns, load_part, load_table, load_texts

IMAGES = [encode(image) for image in random_images(3, 5, 7, 3)]


@pytest.mark.parametrize(
    ("ids", "numbers", "names"),
    [
        (["7", "-3", " 0"], [7, -3, 0], None),
        (["10", "1", "01"], [0, 1, 2], ("10", "1", "01")),
        (["007", "010", "100"], [0, 1, 2], ("007", "010", "100")),
        (["C-1", "7", "7"], [0, 1, 2], ("C-1", "7", "7")),
        (["9" * 19, "1", "2"], [0, 1, 2], ("9" * 19, "1", "2")),
        ([2**63, 1, 2], [0, 1, 2], (str(2**63), "1", "2")),
        (["C-1", None, "C-2"], [0, 1, 2], None),
        ([0.5, 1.5, 2.5], [0, 1, 2], None),
    ],
)
def test_ids_are_whole_numbers_or_names(tmp_path, monkeypatch, ids, numbers, names):
    column = pa.array(ids, pa.uint64()) if 2**63 in ids else pa.array(ids)
    more = {"id": column.dictionary_encode() if ids[0] == "007" else column, "label": [0, 1, 0]}
    for name, content in (("x", [0.5, 1, 2]), ("text", ["a", "b", "c"]), ("image", IMAGES)):
        pq.write_table(pa.table({name: content, **more}), tmp_path / f"{name}.parquet")
    table, texts, images = (str(tmp_path / f"{name}.parquet") for name in ("x", "text", "image"))
    parts = [load_table(table), load_texts(texts), load_part(images)]
    monkeypatch.setattr(module, "IN_MEMORY", 0)
    parts.append(load_part(images))
    for part in parts:
        assert part.ids.tolist() == numbers
        read = Examples.from_table if part is parts[0] else Examples.from_part
        if part is not parts[1]:
            called = read(part).names
            assert (called and tuple(called)) == names
            some = read(part.subset(torch.tensor(numbers[:0:-1]))).names
            assert (some and tuple(some)) == (names and names[:0:-1])
    assert parts[1].names == names
    assert load_columns(table, ["x"])[0].tolist() == numbers
