"""Data of any kind as the inputs of a model: read as the user says and as the model needs."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from torch import Tensor

from arcal.arrays import places_of
from arcal.auditing import Caveat, in_clusters
from arcal.audits._examples import Examples
from arcal.classifiers import GENERIC, OpenedClassifier
from arcal.console import bar
from arcal.data import Part, kind_of, load_columns, load_part, load_table, load_texts
from arcal.errors import ArcalError, prefixing_errors
from arcal.store import RunFolder, is_run_folder
from arcal.training.saved_run import data_of

LISTED = 10
"""The most broken images that an error message lists."""

NOT_DRAWN = "Not drawn"
"""The title of the caveat on data that lack the column which other data are drawn by."""

OF_KINDS = {
    "image": "images",
    "text": "texts",
    "columns": "table",
    "size": "images",
    "crop": "images",
    "channels": "images",
    "check": "images",
    "skip_broken": "images",
}
"""The kind of data that a field of `Reading` is for; the other fields are for all kinds."""


@dataclass(frozen=True)
class Reading:
    """How a data set is read: which part, which columns, how images are brought to one size.

    None leaves a choice to the data, and the size to the model's configuration if it has one.
    `classes` are the names of the model's classes in its order, if it does not have them itself.
    `like` is the shape `(C, H, W)` of the audited images, to which other images are brought.
    """

    part: str | None = None
    image: str | None = None
    text: tuple[str, ...] = ()
    label: str | None = None
    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    weight: str | None = None
    size: int | None = None
    crop: str = "centre"
    channels: int | None = None
    check: bool = False
    skip_broken: bool = False
    like: tuple[int, ...] | None = None


def read_examples(
    source: str,
    opened: OpenedClassifier,
    reading: Reading,
    *,
    foreign: bool = False,
    by: Sequence[str] = (),
    one_per: str | None = None,
    cluster: str | None = None,
) -> Examples:
    """The inputs at a path, as this model takes them, grouped `by` columns.

    `foreign` inputs may be of any classes, or unlabelled. A table's columns `one_per` and `cluster`
    are not given to the model. A run folder stands for the run's own data: the test part, unless
    one is named.
    """
    if is_run_folder(source):
        return _from_run(source, reading, {"by": by, "one_per": one_per, "cluster": cluster})
    kind = opened.kind or kind_of(
        source,
        part=reading.part,
        image=reading.image,
        text=reading.text or None,
        columns=reading.columns or None,
        label=reading.label,
    )
    _refuse_other_flags(source, kind, reading)
    named: dict[str, Any] = {
        "part": reading.part,
        "label": reading.label,
        "weight": reading.weight,
        "classes": None if foreign else reading.classes or known_classes(opened),
        "labelled": not foreign,
    }
    if kind == "texts":
        examples = _texts(source, opened, reading, named)
    elif kind == "table":
        named |= {"by": by, "without": [one for one in (one_per, cluster) if one is not None]}
        table = load_table(source, columns=reading.columns or None, **named)
        examples = Examples.from_table(table)
    else:
        examples = Examples.from_part(_images(source, opened, reading, named))
    if not by:
        return examples
    with prefixing_errors(f"--by {' '.join(by)}"):
        return examples.grouped(_columns(source, by, reading, examples))


def _from_run(folder: str, reading: Reading, columns: Mapping[str, Any]) -> Examples:
    """The images that a run was tested on, or another part of its data."""
    usual = Reading(part=reading.part, like=reading.like)
    given = [name for name, value in vars(reading).items() if value != getattr(usual, name)]
    given += [name for name, value in columns.items() if value]
    if given:
        name = given[0].replace("_", "-")
        raise ArcalError(
            f"--{name} is for DATA that are named, and {folder} brings its own: leave it out, or "
            "name DATA after the run"
        )
    data = data_of(RunFolder.open(folder), remedy="name DATA after the run")
    return Examples.from_part(data.part(reading.part or "test"))


def clustered_by(examples: Examples, source: str, column: str, reading: Reading) -> Examples:
    """The inputs at a path, those with the same value in a column belonging together."""
    with prefixing_errors(f"--cluster {column}"):
        return examples.clustered(column, _column(source, column, reading, examples))


def clustered_if_there(examples: Examples, source: str, column: str, reading: Reading) -> Examples:
    """The same for other data, which may be in one cluster; unchanged without such a column."""
    try:
        values = _column(source, column, reading, examples)
    except ArcalError:
        return examples
    with prefixing_errors(f"--cluster {column} of {source}"):
        together = in_clusters(column, values, len(examples), several=False)
    return replace(examples, clusters=together)


def drawn_one_per(examples: Examples, source: str, column: str, reading: Reading) -> Examples:
    """One input, drawn at random, for each value in a column of the data at a path."""
    with prefixing_errors(f"--one-per {column}"):
        return examples.one_per(column, _column(source, column, reading, examples))


def drawn_if_there(
    examples: Examples, source: str, column: str, reading: Reading
) -> tuple[Examples, list[Caveat]]:
    """The same for other data; without such a column, all of them and a caveat."""
    try:
        values = _column(source, column, reading, examples)
    except ArcalError:
        return examples, [Caveat(NOT_DRAWN, not_drawn(source, column))]
    with prefixing_errors(f"--one-per {column} of {source}"):
        return examples.one_per(column, values), []


def not_drawn(source: str, column: str) -> str:
    """A sentence on data that lack the column which other data are drawn by."""
    return (
        f"{source} has no column {column}: all its inputs count, and intervals are too narrow if "
        "some are much alike"
    )


def shared_values(column: str, *data: tuple[str, Reading, Examples]) -> list[Caveat]:
    """A caveat if audited and validation inputs share values of a column.

    Each of the two is given as its path, how it was read, and its inputs. If one of them has no
    such column, there is no caveat.
    """
    try:
        audited, known = (
            {*_column(path, column, reading, some).to_pylist()} for path, reading, some in data
        )
    except ArcalError:
        return []
    if not (both := len(audited & known)):
        return []
    said = (
        f"validation inputs share {both:,} of the {len(audited):,} audited values of {column}, so "
        "calibrators look better than they are"
    )
    return [Caveat("Overlap", said)]


def _columns(
    source: str, names: Sequence[str], reading: Reading, examples: Examples
) -> dict[str, pa.ChunkedArray]:
    """Columns of the data at a path, by name, with one value per input."""
    ids, columns = load_columns(source, names, part=reading.part, image=reading.image)
    rows = places_of(examples.ids, ids).numpy()
    return {name: column.take(rows) for name, column in columns.items()}


def _column(source: str, name: str, reading: Reading, examples: Examples) -> pa.ChunkedArray:
    return _columns(source, [name], reading, examples)[name]


def _refuse_other_flags(source: str, kind: str, reading: Reading) -> None:
    """Refuse options for other kinds of data, which would be ignored."""
    usual = Reading()
    for name, its_kind in OF_KINDS.items():
        if kind != its_kind and getattr(reading, name) != getattr(usual, name):
            raise ArcalError(
                f"--{name.replace('_', '-')} is for {its_kind.removesuffix('s')}s, and {source} is "
                f"read as {kind}: leave it out"
            )


def known_classes(opened: OpenedClassifier) -> tuple[str, ...] | None:
    """The model's class names, for labels that are names; None if they are only numbered."""
    names = opened.class_names
    return None if names is None or all(GENERIC.fullmatch(name) for name in names) else names


def _images(
    source: str, opened: OpenedClassifier, reading: Reading, named: Mapping[str, Any]
) -> Part:
    settings: dict[str, Any] = {"image": reading.image, "channels": reading.channels, **named}
    shape = opened.input_shape or reading.like or ()
    channels, *sides = shape if len(shape) == 3 else (None,)
    if settings["channels"] is None and channels in (1, 3):
        settings["channels"] = channels
    how = opened.preprocessing
    view: dict[str, Any] = {"crop": reading.crop}
    size: Any = reading.size
    if size is None and how is not None:
        size = how.size
        view = {"resize": how.resize or how.size, "interpolation": how.interpolation}
        view["round_down"] = how.round_down
    elif size is None and sides:
        size = tuple(sides)
    opens_all = reading.check or reading.skip_broken
    with bar(f"opening {source}", "images") if opens_all else nullcontext() as progress:
        if progress is not None:
            settings |= {"skip_broken": True, "progress": progress}
        return _checked(load_part(source, size=size, keep=True, **view, **settings), reading)


def _checked(part: Any, reading: Reading) -> Part:
    """The part; images that cannot be read are left out if that is wanted, else refused."""
    broken = () if reading.skip_broken else getattr(part, "skipped", ())
    if broken:
        some = "; ".join(f"{one.where}: {one.reason}" for one in broken[:LISTED])
        more = f"; and {len(broken) - LISTED} more" if len(broken) > LISTED else ""
        raise ArcalError(
            f"{len(broken)} of {len(part) + len(broken)} images cannot be read ({some}{more}): "
            "repair them, or leave them out with --skip-broken"
        )
    return part


def _texts(
    source: str, opened: OpenedClassifier, reading: Reading, named: Mapping[str, Any]
) -> Examples:
    if opened.tokenize is None:
        raise ArcalError(
            f"{opened.name} takes no texts, and {source} holds some: name a sequence classifier "
            "as hf:FOLDER"
        )
    texts = load_texts(source, text=reading.text or None, **named)
    lengths = opened.tokenize.lengths(texts.texts)
    tokenize = opened.tokenize.shortened(int(lengths.max()))
    two = len(texts.columns) > 1
    caveats = []
    if cut := int((lengths > tokenize.length).sum()):
        said = (
            f"{cut:,} of {len(lengths):,} {'pairs' if two else 'texts'} are cut after "
            f"{tokenize.length:,} tokens, all that the model takes; the longest has "
            f"{int(lengths.max()):,}"
        )
        caveats.append(Caveat("Cut", said))

    def chosen(positions: Tensor) -> list[str] | list[tuple[str, str]]:
        return [texts.texts[i] for i in positions.tolist()]

    return Examples.labelled_as(
        texts,
        lambda positions: tokenize(chosen(positions)),
        token_ids=lambda positions: tokenize.token_ids(chosen(positions)),
        kind="texts",
        bounds=None,
        texts=texts.shown(),
        caveats=caveats,
        facts={
            **({"Pairs": " and ".join(texts.columns)} if two else {}),
            "Texts": f"cut or padded to {tokenize.length} tokens",
            "Distances": "none: the model reads token ids, which cannot be perturbed"
            if tokenize.embeddings is None
            else "between embeddings; a perturbed embedding stands for no word",
        },
    )
