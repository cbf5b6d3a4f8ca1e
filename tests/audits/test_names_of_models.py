"""What a model is called on the page: short, unless two would be called the same."""

import pytest

from arcal.audits import names_of, split_names
from arcal.errors import ArcalError


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("timm:resnet18.tv_in1k", "resnet18.tv_in1k"),
        ("torchvision:vgg11", "vgg11"),
        ("hf:models/bert-1.5", "bert-1.5"),
        ("hf:models/bert/", "bert"),
        ("work/nets.py:small", "nets"),
        ("lib.nets:Net", "Net"),
        ("model.v2.pt2", "model.v2"),
        ("runs/cifar10-small-0.3", "cifar10-small-0.3"),
        ("out/predictions.csv", "predictions.csv"),
        ("logits.npz", "logits.npz"),
        ("table.parquet", "table.parquet"),
    ],
)
def test_one_model_has_a_short_name(spec, name):
    assert names_of([spec], []) == [name]


def test_models_are_told_apart():
    assert names_of(["nets.py:small", "nets.py:large"], []) == ["small", "large"]
    assert names_of(["a.py:net", "b.py:net"], []) == ["a", "b"]
    assert names_of(["timm:x", "lib.timm:x"], []) == ["timm:x", "lib.timm:x"]
    assert names_of(["a/one.csv", "b/one.csv"], []) == ["a/one.csv", "b/one.csv"]
    assert names_of(["a.py:net", "b.py:net"], ["first", "second"]) == ["first", "second"]
    with pytest.raises(ArcalError, match="two models are called same"):
        names_of(["a.py:net", "b.py:net"], ["same", "same"])


def test_a_model_in_the_place_of_the_data_is_one_line(tmp_path):
    run = tmp_path / "vanilla-s1"
    run.mkdir()
    for name in ("config.json", "metrics.jsonl"):
        (run / name).write_bytes(b"{}")
    with pytest.raises(ArcalError, match="vanilla-s1 is a run folder where DATA should be"):
        split_names([str(tmp_path / "vanilla-s0"), str(run)])
    with pytest.raises(
        ArcalError,
        match=r"net\.py:net is a model where DATA should be.* Python, `arcal\.audit\(model, loader",
    ):
        split_names(["photos", "net.py:net"])
    assert split_names(["net.py:net", str(tmp_path)]) == (["net.py:net"], str(tmp_path))
