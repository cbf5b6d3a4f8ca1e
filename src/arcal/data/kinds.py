"""What kind of data there is: images, a table of numbers, or texts."""

from collections.abc import Sequence
from typing import Literal

import pyarrow as pa

from arcal.data.columns import ID, IMAGES, Columns, called, is_image
from arcal.data.columns import LABELS as TEXT_LABELS
from arcal.data.labels import is_text, typed
from arcal.data.listings import READERS, open_columns
from arcal.data.sources import find_source
from arcal.data.tables import LABELS
from arcal.data.texts import TEXTS, text_pair
from arcal.errors import ArcalError
from arcal.printable import first_few

Kind = Literal["images", "table", "texts"]
ROWS = 1000  # read to tell words from numbers


def kind_of(
    source: str,
    *,
    part: str | None = None,
    image: str | None = None,
    text: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    label: str | None = None,
) -> Kind:
    """Whether a source holds images, a table of numbers, or texts.

    Naming the column `image`, the columns `text` or the feature `columns` decides it. Otherwise
    files with a column of images (encoded, or paths in a column such as "image" or "file_name") are
    images, those with a column of texts ("text", "sentence", "content") or two of pairs (such as
    "premise" and "hypothesis") are texts, and those with a label and other columns are a table.
    Anything without columns is images. Data that fit several of these, or none, raise `ArcalError`.

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
        nested = {field.name for field in data.schema if pa.types.is_nested(field.type)}
        pictures = any(map(is_image, data.schema)) or called([*words, *nested], IMAGES)
        texts = called([*words], TEXTS) or text_pair([*words])
        kinds = [*(["images"] if pictures else []), *(["texts"] if texts else [])]
        names = {*data.schema.names}.difference(called(data.schema.names, [ID]))
        labels = (called([*names], known) for known in (LABELS, TEXT_LABELS))
        features = names.difference([label], *labels)
        labelled = label is not None or len(features) < len(names)
        if not kinds and labelled and features - words:
            kinds = ["table"]
    if len(kinds) == 1:
        return kinds[0]
    what = "could be " + " or ".join(kinds) if kinds else "has no images, texts or labelled numbers"
    first = "" if kinds or label is not None else "the label with --label, "
    raise ArcalError(
        f"{data.path} {what} (its columns are {first_few(data.schema.names)}): name {first}the "
        "column of images with --image, that of texts with --text, or those of numbers with "
        "--columns"
    )


def is_words(data: Columns, field: pa.Field) -> bool:
    """Whether a column is text that is not all numbers, judged by its first rows."""
    if not is_text(field):
        return pa.types.is_dictionary(field.type)
    return is_text(typed(data.read(field.name).slice(0, ROWS)))
