import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_images import encode, random_images

from arcal.data import kind_of
from arcal.errors import ArcalError

IMAGE = {"bytes": encode(random_images(1, 3, 3)[0]), "path": None}


@pytest.mark.parametrize(
    ("header", "row", "options", "kind"),
    [
        ("path,label", "1.png,0", {}, "images"),
        ("file_name,label,width", "1.png,cat,3", {}, "images"),
        ("picture,label", "1.png,0", {"image": "picture"}, "images"),
        ("text,label", "Good.,1", {}, "texts"),
        ("review,stars", "Good.,1", {"text": "review", "label": "stars"}, "texts"),
        ("age,income,y", "3,4.5,no", {}, "table"),
        ("content,label", "12.5,1", {}, "table"),  # of fat, say
        ("age,name,label", "3,Ann,1", {}, "table"),
        ("age,stars", "3,1", {"label": "stars"}, "table"),
        ("age,stars", "3,1", {"columns": ["age"]}, "table"),
    ],
)
def test_columns_of_csv(tmp_path, header, row, options, kind):
    (tmp_path / "rows.csv").write_text(f"{header}\n{row}\n")
    assert kind_of(str(tmp_path / "rows.csv"), **options) == kind


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"image": [IMAGE], "label": [0]}, "images"),
        ({"scan": [b"..."], "label": [0]}, "images"),
        ({"text": ["Good."], "label": [0]}, "texts"),
        ({"sentence": ["Good."], "idx": [0], "label": [0]}, "texts"),
        ({"a": [0.5], "b": [True], "target": [0]}, "table"),
        ({"a": [0.5], "ID": [3], "Class": [0]}, "table"),
        ({"Image": [IMAGE], "Label": [0]}, "images"),
        ({"Text": ["Good."], "Label": [0]}, "texts"),
        ({"image": [[0, 255]], "label": [0]}, "images"),  # of which it is said how to give them
    ],
)
def test_columns_of_parquet(tmp_path, columns, kind):
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    assert kind_of(str(tmp_path / "rows.parquet")) == kind


def test_what_has_no_columns_is_images(tmp_path):
    assert kind_of("fashion", part="train") == "images"
    np.savez(tmp_path / "x.npz", x=0, y=0)
    assert kind_of(str(tmp_path / "x.npz")) == "images"
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_bytes(IMAGE["bytes"])
    (tmp_path / "x.npz").unlink()
    assert kind_of(str(tmp_path)) == "images"


@pytest.mark.parametrize(
    ("header", "row", "options", "message"),
    [
        ("path,text,label", "1.png,Good.,0", {}, "could be images or texts .* --image"),
        ("review,label", "Good.,0", {}, "has no images, texts or labelled numbers .*--text"),
        ("age,income", "1,2", {}, "has no images, texts or labelled numbers .*label with --label"),
        ("label", "1", {}, "has no images, texts or labelled numbers"),
        ("a,b,label", "1,2,3", {"image": "a", "text": "b"}, "could be images or texts"),
    ],
)
def test_what_is_several_or_none_is_one_line(tmp_path, header, row, options, message):
    (tmp_path / "rows.csv").write_text(f"{header}\n{row}\n")
    with pytest.raises(ArcalError, match=message) as raised:
        kind_of(str(tmp_path / "rows.csv"), **options)
    assert "\n" not in str(raised.value)
