import io
import json
import tarfile
from pathlib import Path

import pytest
import torch
from toy_images import encode, random_images

from arcal.data import OnDemand, batches, load_part
from arcal.errors import ArcalError

COLOUR = random_images(6, 5, 7, 3)
PIXELS = torch.from_numpy(COLOUR).permute(0, 3, 1, 2)
ENCODED = [encode(image) for image in COLOUR]


def write_shard(path: Path, *members: tuple[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            content = data.encode() if isinstance(data, str) else data
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def shards(root: Path) -> Path:
    """Samples in an order that is not that of their names."""
    write_shard(
        root / "pets-test-000000.tar",
        *[
            pair
            for k in (2, 0, 1)
            for pair in ((f"a/{k}.png", ENCODED[k]), (f"a/{k}.cls", f"{k}\n"))
        ],
    )
    write_shard(
        root / "pets-test-000001.tar",
        *[
            pair
            for k in (5, 3)
            for pair in ((f"b/{k}.cls", f"{k - 3}"), (f"b/{k}.PNG", ENCODED[k]))
        ],
        ("b/.DS_Store", "x"),
    )
    return root


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where there is one core only
def test_samples_keep_the_order_of_the_shards_and_their_keys(tmp_path):
    part = load_part(str(shards(tmp_path) / "pets"))
    assert isinstance(part, OnDemand)
    assert part.name == "pets/test"
    order = [2, 0, 1, 5, 3]
    assert part.ids.tolist() == [0, 1, 2, 3, 4]
    assert torch.equal(part.images(torch.arange(5)), PIXELS[order])
    assert part.labels.tolist() == [2, 0, 1, 2, 0]
    assert [part.key(position) for position in range(5)] == ["a/2", "a/0", "a/1", "b/5", "b/3"]
    assert part.where(3) == f"{tmp_path / 'pets-test-000001.tar'}, b/5"
    there = [images for _, images, _ in batches(part.subset(torch.tensor([4, 1])), 1, workers=2)]
    assert torch.equal(torch.cat(there), PIXELS[[3, 0]])
    moved = shards(tmp_path / "elsewhere")
    assert load_part(str(moved)).fingerprint() == part.fingerprint()


def record(**fields) -> str:
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ({"cls": "cat"}, {}, "cat"),
        ({"json": record(label="cat")}, {}, "cat"),
        ({"json": record(cls="cat", other=3)}, {}, "cat"),
        ({"json": record(label="dog", animal="cat")}, {"label": "animal"}, "cat"),
        ({"animal.txt": "cat", "cls": "dog"}, {"label": "animal.txt"}, "cat"),
    ],
)
def test_labels_from_text_and_records(tmp_path, text, options, expected):
    other = [("0.jpg", encode(COLOUR[0], format="JPEG"))]
    other += [(f"0.{ending}", value.replace("cat", "ant")) for ending, value in text.items()]
    members = [("1.png", ENCODED[1]), *((f"1.{ending}", value) for ending, value in text.items())]
    part = load_part(str(write_shard(tmp_path / "pets.tar", *other, *members)), **options)
    assert part.classes == ("ant", expected)
    assert part.labels.tolist() == [0, 1]


def test_weights_and_one_of_several_images(tmp_path):
    file = write_shard(
        tmp_path / "pets.tar",
        ("0.left.png", ENCODED[0]),
        ("0.right.png", ENCODED[1]),
        ("0.json", record(label=1, w=0.5)),
        ("1.left.png", ENCODED[2]),
        ("1.right.png", ENCODED[3]),
        ("1.json", record(label=0, w=2)),
    )
    part = load_part(str(file), image="right.png", weight="w")
    assert torch.equal(part.images(torch.arange(2)), PIXELS[[1, 3]])
    assert part.weights is not None
    assert part.weights.tolist() == [0.5, 2.0]
    with pytest.raises(ArcalError, match=r"0 has no image \(it has left.png, right.png, json\)"):
        load_part(str(file))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("0.png", b"x")], "pets.tar, 0 has no label: add 0.cls or a field of 0.json"),
        ([("0.cls", "1")], r"pets.tar, 0 has no image \(it has cls\)"),
        ([("0.png", b"x"), ("0.jpg", b"x"), ("0.cls", "1")], "0 has 2 images: give one each"),
        ([("0.png", b"x"), ("0.json", "{")], "0.json is not JSON"),
        ([("0.png", b"x"), ("0.cls", b"\xff")], "0.cls is not text"),
        ([("0.png", b"x"), ("0.json", record(label=[1]))], "0 has no label"),
        ([("0.png", b"x"), ("0.png", b"x")], "holds 0.png twice"),
        ([("0.png", b"x"), ("1.png", b"x"), ("0.cls", "1")], "0 has no label|in two places"),
        ([("0.png", b"x"), ("0.cls", "1")], "pets.tar, 0: the image cannot be read"),
        ([], "has no images: give a part with data"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_sample(tmp_path, members, message):
    file = write_shard(tmp_path / "pets.tar", *members)
    with pytest.raises(ArcalError, match=message) as raised:
        load_part(str(file))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("size", [0, 700, 100_000])
def test_a_file_that_is_cut_or_compressed_or_none_at_all(tmp_path, size):
    file = shards(tmp_path) / "pets-test-000001.tar"
    whole = file.read_bytes()
    if size < len(whole):
        file.write_bytes(whole[:size])
    else:
        with tarfile.open(file, "w:gz"):
            pass
    with pytest.raises(ArcalError, match="cannot be read as a tar file") as raised:
        load_part(str(file))
    assert "\n" not in str(raised.value)


def test_today_s_samples_need_no_labels(tmp_path):
    write_shard(tmp_path / "all.tar", *[(f"{k}.png", ENCODED[k]) for k in (0, 1)])
    some = [("0.png", ENCODED[0]), ("0.cls", "1"), ("1.png", ENCODED[1])]
    write_shard(tmp_path / "some.tar", *some)
    for name in ("all", "some"):
        part = load_part(str(tmp_path / f"{name}.tar"), labelled=False)
        assert part.labels.tolist() == [0, 0]
        assert torch.equal(part.images(torch.arange(2)), PIXELS[:2])
        with pytest.raises(ArcalError, match="has no label"):
            load_part(str(tmp_path / f"{name}.tar"))
