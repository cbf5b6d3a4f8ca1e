"""Images in rows and in files that rows name: Parquet, Arrow, CSV, JSON lines."""

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_images import encode, random_images

from arcal.data import InMemory, OnDemand, batches, load_part
from arcal.data import _load_part as module
from arcal.data import parquet_columns as parquet
from arcal.errors import ArcalError

N = 12
COLOUR = random_images(N, 5, 7, 3)
PIXELS = torch.from_numpy(COLOUR).permute(0, 3, 1, 2)
ENCODED = [encode(image) for image in COLOUR]
LABELS = [k % 3 for k in range(N)]
FEATURES = {
    "img": {"_type": "Image"},
    "label": {"names": ["cat", "dog", "eel"], "_type": "ClassLabel"},
}


def table(encoded=ENCODED, labels=LABELS, *, image="img", metadata=True, **more) -> pa.Table:
    """Rows as `datasets` writes them."""
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    images = pa.array([{"bytes": data, "path": None} for data in encoded], kind)
    columns = pa.table({image: images, "label": labels, **more})
    info = json.dumps({"info": {"features": FEATURES}})
    return columns.replace_schema_metadata({"huggingface": info} if metadata else None)


def save_to_disk(folder: Path, rows: pa.Table, *, shards=1, split=None) -> Path:
    """The files that `Dataset.save_to_disk` of datasets 5.2 writes."""
    folder.mkdir(parents=True)
    names = [f"data-{n:05}-of-{shards:05}.arrow" for n in range(shards)]
    for part, name in zip(np.array_split(np.arange(rows.num_rows), shards), names, strict=True):
        some = rows.slice(part[0], len(part)) if len(part) else rows.slice(0, 0)
        with pa.ipc.new_stream(str(folder / name), rows.schema) as stream:
            for batch in some.to_batches(max_chunksize=2):
                stream.write_batch(batch)
    state = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": "c1593d23323a8a4e",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
    info = {"citation": "", "description": "", "features": FEATURES, "homepage": "", "license": ""}
    (folder / "state.json").write_text(json.dumps(state, indent=2))
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=2))
    return folder


def as_parquet(root: Path) -> str:
    root.mkdir()
    for n, start in enumerate((0, 5)):
        some = table().slice(start, 7 if n else 5)
        pq.write_table(some, root / f"test-0000{n}-of-00002.parquet", row_group_size=3)
    return str(root)


def as_binary(root: Path) -> str:
    rows = table(metadata=False)
    rows = rows.set_column(0, "image", pa.array(ENCODED, pa.large_binary()))
    pq.write_table(rows.replace_schema_metadata({"names": "cat,dog,eel"}), root)
    return str(root.rename(root.with_suffix(".parquet")))


def as_saved(root: Path) -> str:
    return str(save_to_disk(root, table(), shards=3))


def as_splits(root: Path) -> str:
    save_to_disk(root / "test", table(), split="test")
    save_to_disk(root / "train", table().slice(0, 2), split="train")
    (root / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    return str(root)


def write_images(root: Path) -> list[str]:
    (root / "images").mkdir(parents=True)
    names = [f"images/{(7 * k) % N:02}, é.png" for k in range(N)]
    for name, data in zip(names, ENCODED, strict=True):
        (root / name).write_bytes(data)
    return names


def as_csv(root: Path) -> str:
    names = write_images(root)
    with (root / "test.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label"])
        rows.writerows(zip(names, [["cat", "dog", "eel"][z] for z in LABELS], strict=True))
    return str(root)


def as_json_lines(root: Path) -> str:
    names = write_images(root)
    rows = [
        {"label": ["cat", "dog", "eel"][z], "file_name": name}
        for name, z in zip(names, LABELS, strict=True)
    ]
    (root / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(root / "rows.jsonl")


FORMATS = [as_parquet, as_binary, as_saved, as_splits, as_csv, as_json_lines]


@pytest.mark.parametrize("limit", [0, module.IN_MEMORY], ids=["on demand", "in memory"])
@pytest.mark.parametrize("write", FORMATS)
def test_every_format_gives_the_same_part(tmp_path, monkeypatch, write, limit):
    monkeypatch.setattr(module, "IN_MEMORY", limit)
    part = load_part(write(tmp_path / "pets"))
    in_files = write in (as_csv, as_json_lines)
    assert isinstance(part, InMemory if limit and not in_files else OnDemand)
    assert part.name.startswith(("pets", "rows"))
    assert torch.equal(part.images(torch.arange(N)), PIXELS)
    assert part.labels.tolist() == LABELS
    assert part.ids.tolist() == list(range(N))
    assert part.classes == ("cat", "dog", "eel")
    some = part.subset(torch.tensor([11, 2, 5]))
    assert torch.equal(some.images(torch.tensor([2, 0, 2])), PIXELS[[5, 11, 5]])
    assert part.fingerprint() != some.fingerprint()


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where there is one core only
@pytest.mark.parametrize("write", FORMATS)
def test_parts_on_demand_are_read_by_workers_and_can_be_sent_to_them(tmp_path, monkeypatch, write):
    monkeypatch.setattr(module, "IN_MEMORY", 0)
    part = load_part(write(tmp_path / "pets"))
    part.images(torch.tensor([0]))  # whatever is held by now must not be shared
    order = torch.tensor([7, 0, 11, 3, 4, 4])
    there = torch.cat([images for _, images, _ in batches(part, 2, order=order, workers=2)])
    assert torch.equal(there, PIXELS[order])
    copy = pickle.loads(pickle.dumps(part))
    assert torch.equal(copy.images(order), PIXELS[order])
    assert len(pickle.dumps(part)) < 10_000


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> str:
    return as_parquet(tmp_path_factory.mktemp("shards") / "pets")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(positions=st.lists(st.integers(0, N - 1), max_size=20), cache=st.sampled_from([0, 10**6]))
def test_rows_come_in_the_order_that_is_given(monkeypatch, shards, positions, cache):
    monkeypatch.setattr(module, "IN_MEMORY", 0)
    monkeypatch.setattr(parquet, "CACHE", cache)
    part = load_part(shards)
    assert torch.equal(part.images(torch.tensor(positions).long()), PIXELS[positions])


def test_a_batch_reads_each_row_group_once_and_the_next_none_of_them(shards, monkeypatch):
    monkeypatch.setattr(module, "IN_MEMORY", 0)
    part = load_part(shards)
    reads = []
    read_row_group = pq.ParquetFile.read_row_group

    def counted(self, i, *args, **kwargs):
        reads.append(i)
        return read_row_group(self, i, *args, **kwargs)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    part = part.subset(part.ids)
    assert isinstance(part, OnDemand)
    part.encoded._forget()  # pyright: ignore[reportAttributeAccessIssue]
    part.images(torch.tensor([11, 0, 5, 1, 10, 2]))
    assert sorted(reads) == [0, 0, 1, 2]  # of rows 0 to 2; 5 to 7, 8 to 10 and 11
    part.images(torch.tensor([2, 11, 6]))
    assert len(reads) == 4


def test_columns_that_are_named_ids_and_weights(tmp_path):
    ids, weights = [100 - k for k in range(N)], [k / 2 for k in range(N)]
    more = {"id": ids, "coarse": [k % 2 for k in range(N)], "w": weights}
    pq.write_table(table(image="picture", **more), tmp_path / "rows.parquet")
    source = str(tmp_path / "rows.parquet")
    part = load_part(source, image="picture", label="coarse", weight="w", size=4, crop="squash")
    assert part.ids.tolist() == ids
    assert part.labels.tolist() == more["coarse"]
    assert part.classes == ("0", "1")
    assert part.weights is not None
    assert part.weights.dtype == torch.float64
    assert part.weights.tolist() == weights
    some = part.subset(torch.tensor([98, 100]))
    assert some.weights is not None
    assert some.weights.tolist() == [1.0, 0.0]
    assert part.shape == (3, 4, 4)
    without = load_part(source, image="picture", label="coarse", size=4, crop="squash")
    assert without.fingerprint() != part.fingerprint()
    alone = load_part(source, label="coarse")  # one column has images
    assert alone.shape == (3, 5, 7)
    two = table(image="picture").append_column("mask", pa.array(ENCODED))
    pq.write_table(two, tmp_path / "rows.parquet")
    with pytest.raises(ArcalError, match=r"has no column image or img or .* name one of"):
        load_part(source)


def test_a_csv_may_have_numbers_absolute_paths_and_missing_files(tmp_path):
    for k in range(4):
        (tmp_path / f"{k}.png").write_bytes(ENCODED[k])
    file = tmp_path / "rows.csv"
    elsewhere = tmp_path / "elsewhere" / "3.png"
    lines = ["img;labels;id;w", "0.png;1;8;2", "no.png;0;7;1", f"{tmp_path}/2.png;2;6;.5"]
    file.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    part = load_part(str(file), weight="w", skip_broken=True)
    assert (part.ids.tolist(), part.labels.tolist()) == ([8, 6], [1, 2])
    assert part.classes == ("0", "1", "2")
    assert part.weights is not None
    assert part.weights.tolist() == [2, 0.5]
    assert torch.equal(part.images(torch.arange(2)), PIXELS[[0, 2]])
    assert [(bad.id, bad.where) for bad in part.skipped] == [
        (7, f"{file}, row 1 ({tmp_path / 'no.png'})")
    ]
    assert not elsewhere.exists()
    with pytest.raises(ArcalError, match=r"row 1 \(.*no.png\): .*No such file.* --skip-broken"):
        load_part(str(file))


def test_skipped_rows_of_parquet(tmp_path):
    encoded = [ENCODED[0], None, ENCODED[2][:50], b"", ENCODED[4]]
    pq.write_table(table(encoded, LABELS[:5]), tmp_path / "rows.parquet")
    part = load_part(str(tmp_path / "rows.parquet"), skip_broken=True)
    assert isinstance(part, InMemory)
    assert part.ids.tolist() == [0, 4]
    assert torch.equal(part.pixels, PIXELS[[0, 4]])
    assert [bad.id for bad in part.skipped] == [1, 2, 3]
    assert part.skipped[0].reason == "it has no bytes: embed the image in the file"
    assert part.skipped[0].where == f"{tmp_path / 'rows.parquet'}, row 1"
    with pytest.raises(ArcalError, match=r"row 1: the image cannot be read \(it has no bytes"):
        load_part(str(tmp_path / "rows.parquet"))


PLAIN = {"image": ENCODED[:2], "label": [0, 1]}


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (PLAIN | {"label": [0, None]}, {}, r"rows.parquet, row 1: label is missing"),
        (PLAIN | {"id": [3, 3]}, {}, "row 1: id 3 occurs more than once, first in row 0"),
        (PLAIN | {"id": [3, None]}, {}, "row 1: id is missing"),
        (PLAIN | {"w": [1, -1.5]}, {"weight": "w"}, "row 1: w is -1.5: weights must be at least 0"),
        (PLAIN | {"w": [0, 0]}, {"weight": "w"}, "w is 0 in every row"),
        (PLAIN | {"w": [1, None]}, {"weight": "w"}, "row 1: w is missing"),
        (PLAIN, {"weight": "w"}, "no column w: .* name one of them with --weight"),
        (PLAIN, {"label": "y"}, "no column y: its columns are image, label; .* --label"),
        (PLAIN | {"image": [1, 2]}, {}, "column image is of type int64: give encoded images"),
        (PLAIN | {"image": [{"path": "x"}] * 2}, {}, "column image is of type struct"),
        (PLAIN | {"image": ["1.png", None]}, {}, "row 1: image is missing"),
        (PLAIN | {"image": ["ab" * 999] * 2}, {}, r"row 0 \(.{300}…\): .* \(File name too long\)"),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, {}, "no rows"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, columns, options, message):
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    with pytest.raises(ArcalError, match=message) as raised:
        load_part(str(tmp_path / "rows.parquet"), **options)
    assert "\n" not in str(raised.value)
