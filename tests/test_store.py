"""Run folders and score files: whole or absent, theirs or refused."""

import json
import resource
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from arcal.errors import ArcalError
from arcal.files import write_whole
from arcal.robustness import Robustness
from arcal.store import (
    RunFolder,
    _scores,
    content_hash,
    load_scores,
    load_tensors,
    merge_scores,
    save_scores,
    save_tensors,
    score_facts,
)


def test_hash_ignores_where_the_data_lay_and_the_order_of_keys():
    a = {"method": "vanilla", "seeds": [0], "source": "here"}
    b = {"source": "there", "seeds": [0], "method": "vanilla"}
    assert content_hash(a) == content_hash(b)
    assert content_hash(a) != content_hash(a | {"seeds": [1]})


def test_tensors_come_back_with_their_metadata(tmp_path):
    tensors = {"a": torch.arange(6).view(2, 3).T, "b": torch.tensor(1.5, dtype=torch.float64)}
    save_tensors(tmp_path / "t.safetensors", tensors, epoch=3)
    found, header = load_tensors(tmp_path / "t.safetensors")
    assert header == {"epoch": 3}
    for name, tensor in tensors.items():
        assert torch.equal(found[name], tensor)


def test_tied_weights_are_each_written(tmp_path):
    layer = torch.nn.Linear(2, 2)
    network = torch.nn.Sequential(layer, torch.nn.ReLU(), layer)
    save_tensors(tmp_path / "x.safetensors", network.state_dict())
    tensors, _ = load_tensors(tmp_path / "x.safetensors")
    assert sorted(tensors) == ["0.bias", "0.weight", "2.bias", "2.weight"]
    assert torch.equal(tensors["0.weight"], layer.weight)
    assert torch.equal(tensors["2.weight"], layer.weight)


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def half(to):
        to.write_text("ne")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_error_of_the_system_for_tensors_too(tmp_path):
    path = tmp_path / "some.safetensors"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="cannot be written"):
            save_tensors(path, {"x": torch.zeros(1000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_run_folder_is_known_by_its_configuration(tmp_path):
    folder = RunFolder.create(tmp_path, "vanilla-s0", {"epochs": 3})
    assert RunFolder.create(tmp_path, "vanilla-s0", {"epochs": 3}) == folder
    assert RunFolder.open(folder.path).config_checked() == {"epochs": 3}
    (folder.path / "config.json").write_text(json.dumps({"epochs": 4}))
    with pytest.raises(ArcalError, match="has been changed"):
        RunFolder.open(folder.path)
    for damaged in ("{", "[]"):
        (folder.path / "config.json").write_text(damaged)
        with pytest.raises(ArcalError, match="damaged"):
            RunFolder.open(folder.path)
    with pytest.raises(ArcalError, match="not a run folder"):
        RunFolder.open(tmp_path)


def test_data_that_has_moved_is_noted_and_keeps_its_folder(tmp_path):
    first = RunFolder.create(tmp_path, "vanilla-s0", {"epochs": 3, "source": "here"})
    again = RunFolder.create(tmp_path, "vanilla-s0", {"epochs": 3, "source": "there"})
    assert again == first
    assert first.config_checked()["source"] == "there"


def test_a_log_line_cut_short_is_left_out(tmp_path):
    folder = RunFolder(tmp_path)
    folder.log_epochs([{"epoch": 1}, {"epoch": 2}])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3')
    assert folder.epochs() == [{"epoch": 1}, {"epoch": 2}]
    (tmp_path / "metrics.jsonl").write_text("no log\n")
    with pytest.raises(ArcalError, match=r"metrics\.jsonl is damaged"):
        folder.epochs()


def scores(success):
    return Robustness(
        order="margin" if success is None else "attack",
        ids=torch.tensor([7, 3]),
        robustness=torch.tensor([0.25, torch.inf]),
        success=success,
        predicted=torch.tensor([1, 0]),
        labels=torch.tensor([1, 1]),
        passes=torch.tensor([0, 9]),
    )


@pytest.mark.parametrize("success", [None, torch.tensor([True, False])])
def test_scores_come_back_and_say_what_they_are(tmp_path, success):
    path = tmp_path / "s.parquet"
    save_scores(path, scores(success), {"model": "m", "data": "d"})
    found = load_scores(path, {"model": "m", "data": "d"})
    for name, value in vars(scores(success)).items():
        other = getattr(found, name)
        assert torch.equal(other, value) if isinstance(value, torch.Tensor) else other == value
    about = json.loads(pq.read_schema(path).metadata[b"arcal"])
    assert about["kind"] == ("ranking, not a distance" if success is None else "distance")
    assert pq.read_schema(path).names == [
        "id", "robustness", "success", "predicted", "label", "passes"
    ]  # fmt: skip


def test_shards_make_up_a_score_file(tmp_path):
    shards = [tmp_path / "s.shards" / f"{number}.parquet" for number in range(2)]
    first = scores(torch.tensor([True, False]))
    second = replace(first, ids=first.ids + 10, robustness=first.robustness / 2)
    for shard, part in zip(shards, (first, second), strict=True):
        save_scores(shard, part, {"model": "m"})
    merge_scores(tmp_path / "s.parquet", shards)
    found = load_scores(tmp_path / "s.parquet", {"model": "m"})
    assert found.ids.tolist() == [7, 3, 17, 13]
    assert found.robustness.tolist() == [0.25, torch.inf, 0.125, torch.inf]
    assert found.success is not None
    assert found.success.tolist() == [True, False, True, False]
    with pytest.raises(ArcalError, match=r"its model is m, not n; delete .*s.shards and score"):
        load_scores(shards[0], {"model": "n"})


@pytest.mark.parametrize(("rows", "groups"), [(_scores.ROWS, [120]), (50, [50, 50, 20])])
def test_shards_become_few_row_groups_of_the_same_rows(tmp_path, monkeypatch, rows, groups):
    monkeypatch.setattr(_scores, "ROWS", rows)
    shards = [tmp_path / "s.shards" / f"{number:02}.parquet" for number in range(60)]
    first = scores(torch.tensor([True, False]))
    parts = [
        replace(first, ids=first.ids + 10 * number, robustness=first.robustness / (1 + number))
        for number in range(60)
    ]
    for shard, part in zip(shards, parts, strict=True):
        save_scores(shard, part, {"model": "m"})
    merge_scores(tmp_path / "s.parquet", shards)
    about = pq.read_metadata(tmp_path / "s.parquet")
    assert [about.row_group(g).num_rows for g in range(about.num_row_groups)] == groups
    found = load_scores(tmp_path / "s.parquet", {"model": "m"})
    for name in ("ids", "robustness", "success", "passes"):
        whole = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(getattr(found, name), whole)
    save_scores(tmp_path / "t.parquet", found, {"model": "m"})
    assert (tmp_path / "t.parquet").read_bytes() == (tmp_path / "s.parquet").read_bytes()


def test_stale_and_damaged_files_are_refused(tmp_path):
    path = tmp_path / "s.parquet"
    with pytest.raises(ArcalError, match="missing"):
        load_scores(path)
    save_scores(path, scores(None), {"model": "m", "data": "d"})
    with pytest.raises(ArcalError, match="its model is m, not n"):
        load_scores(path, {"model": "n"})
    save_scores(path, scores(None), {"attack": {"name": "a", "iterations": 3, "kappa": 0.0}})
    with pytest.raises(ArcalError, match="stale: its attack iterations is 3, not 4; delete it"):
        load_scores(path, {"attack": {"name": "a", "iterations": 4, "kappa": 0.0}})
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ArcalError, match="not a score file"):
        load_scores(path)
    with pytest.raises(ArcalError, match="missing"):
        load_tensors(tmp_path / "none")
    (tmp_path / "t").write_bytes(b"no tensors")
    with pytest.raises(ArcalError, match="damaged"):
        load_tensors(tmp_path / "t")


def test_equal_tensors_are_equal_bytes_and_a_flipped_bit_is_seen(tmp_path):
    tensors = {"ids": torch.arange(5), "logits": torch.randn(1, 5, 3).bfloat16()}
    header = {"zeta": 1, "alpha": [2], "data": "x", "model": None}
    paths = [tmp_path / f"{i}.safetensors" for i in range(4)]
    for path in paths:
        save_tensors(path, dict(reversed(tensors.items())), **header)
        found, metadata = load_tensors(path)
        assert metadata == header
        assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    assert len({path.read_bytes() for path in paths}) == 1
    content = bytearray(paths[0].read_bytes())
    for place in (-1, -30):
        flipped = content.copy()
        flipped[place] ^= 1
        paths[0].write_bytes(flipped)
        with pytest.raises(ArcalError, match="does not hold what was written"):
            load_tensors(paths[0])


def test_tensors_of_an_older_version_are_read(tmp_path):
    path = tmp_path / "old.safetensors"
    save_file({"T": torch.ones(2)}, path, {"epoch": "3", "model": '"tiny"'})
    tensors, metadata = load_tensors(path)
    assert torch.equal(tensors["T"], torch.ones(2))
    assert metadata == {"epoch": 3, "model": "tiny"}


@pytest.mark.parametrize("column", ["id", "robustness", "success", "predicted", "label", "passes"])
def test_a_score_that_was_changed_is_seen(column, tmp_path):
    path = tmp_path / "test.parquet"
    save_scores(path, scores(torch.tensor([True, False])), {"model": "tiny"})
    load_scores(path)
    table = pq.read_table(path)
    changed = table[column].to_pylist()
    changed[0] = not changed[0] if column == "success" else changed[0] + 1
    place = table.column_names.index(column)
    table = table.set_column(place, table.field(place), pa.array(changed, table.field(place).type))
    digest = pq.read_metadata(path).metadata[b"arcal digest"]
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"arcal digest": digest.decode()})
    with pytest.raises(ArcalError, match="does not hold what was written"):
        load_scores(path)


def test_scores_keep_why_the_attack_failed(tmp_path):
    ids = torch.arange(4)
    for number, reason in enumerate(("", "no gradient there")):
        distance = torch.tensor([0.5, torch.inf]) if reason else torch.tensor([0.5, 1.0])
        scores = Robustness(
            order="attack",
            ids=ids[2 * number : 2 * number + 2],
            robustness=distance,
            success=distance.isfinite(),
            predicted=ids[:2],
            labels=ids[:2],
            passes=ids[:2],
            reason=reason,
        )
        save_scores(tmp_path / f"{number}.parquet", scores, {"files": {"stamp": str(number)}})
        assert load_scores(tmp_path / f"{number}.parquet").reason == reason
    shards = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    merge_scores(tmp_path / "whole.parquet", shards, files={"stamp": "whole"})
    assert load_scores(tmp_path / "whole.parquet").reason == "no gradient there"
    assert score_facts(tmp_path / "whole.parquet") == {"files": {"stamp": "whole"}}
