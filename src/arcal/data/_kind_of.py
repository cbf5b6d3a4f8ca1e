"""`kind_of`: whether data are images, a table of numbers, or texts."""

from collections.abc import Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute

from arcal.data.columns import ID, IMAGES, LABELS, TEXTS, Columns, is_image
from arcal.data.listings import READERS, open_columns
from arcal.data.sources import find_source
from arcal.data.tables import LABELS as TABLE_LABELS
from arcal.errors import ArcalError
from arcal.printable import first_few

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers

Kind = Literal["images", "table", "texts"]
ROWS = 1000  # read to tell words from numbers


def kind_of(
    source: str,
    *,
    part: str | None = None,
    image: str | None = None,
    text: str | None = None,
    columns: Sequence[str] | None = None,
    label: str | None = None,
) -> Kind:
    """Whether a source is of images, a table of numbers, or texts, by what there is.

    Naming the column `image`, the column `text` or the feature `columns` says it. Otherwise files
    with a column of images (encoded, or paths in a column such as "image" or "file_name") are
    images, those with a text column ("text", "sentence", "content") are texts, and those with a
    label and other columns are a table. Everything that has no columns is images. Data that are
    several of these, or none, raise `ArcalError`.

    >>> kind_of("fashion")
    'images'
    """
    named: dict[Kind, object] = {"images": image, "texts": text, "table": columns}
    kinds: list[Kind] = [kind for kind, value in named.items() if value is not None]
    there = find_source(source)
    _, _, paths = there.choose(part)
    if there.format not in READERS:
        return "images"
    data = open_columns(there.format, paths)
    if not kinds:
        words = {field.name for field in data.schema if is_words(data, field)}
        pictures = {field.name for field in data.schema if is_image(field)} | words & set(IMAGES)
        kinds = [*(["images"] if pictures else []), *(["texts"] if words & set(TEXTS) else [])]
        features = set(data.schema.names) - {ID, label, *LABELS, *TABLE_LABELS}
        labelled = label is not None or len(features) < len(set(data.schema.names) - {ID})
        if not kinds and labelled and features - words:
            kinds = ["table"]
    if len(kinds) == 1:
        return kinds[0]
    what = "could be " + " or ".join(kinds) if kinds else "has no images, texts or labelled numbers"
    first = "" if kinds or label is not None else "the label with --label, "
    names = data.schema.names
    listed = first_few(names)
    raise ArcalError(
        f"{data.path} {what} (its columns are {listed}): name {first}the "
        "column of images with --image, that of texts with --text, or those of numbers with "
        "--columns"
    )


def is_words(data: Columns, field: pa.Field) -> bool:
    """Whether a column is of text that is not numbers throughout, judged by its first rows."""
    if pa.types.is_dictionary(field.type):
        return True
    if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
        return False
    try:
        pc.utf8_trim_whitespace(data.read(field.name).slice(0, ROWS)).cast(pa.float64())
    except pa.ArrowInvalid:
        return True
    return False
