"""Finding the Parquet files of a training and a test set, from a folder or a path prefix."""

import re
from glob import escape
from pathlib import Path

from arcal.errors import ArcalError

# train-00000-of-00002.parquet; older files of the hub also have a hash at the end
SHARD = re.compile(r"-(\d{5})-of-(\d{5})(-[0-9a-f]+)?$")


def find(source: Path) -> tuple[list[Path], list[Path]] | None:
    """The files of the training and of the test set; None if there are neither.

    Only one of the two, several sets, or an incomplete one raises `ArcalError`.
    """
    if source.is_dir():
        folders = [source, *sorted(path for path in source.iterdir() if path.is_dir())]
        prefix = "*"
    else:
        folders, prefix = [source.parent], f"{escape(source.name)}-"
    pairs = [pair for folder in folders if any(pair := pair_in(folder, prefix))]
    if not pairs:
        return None
    if len(pairs) > 1:
        parents = ", ".join(str((train + test)[0].parent) for train, test in pairs)
        raise ArcalError(
            f"{source} holds Parquet sets in more than one folder ({parents}): name one of them"
        )
    train, test = pairs[0]
    for files, word in ((train, "train"), (test, "test")):
        if not files:
            raise ArcalError(
                f"{source}: there is no {prefix}{word}*.parquet: a training and a test set are "
                "needed"
            )
        check_one_set(source, word, files)
    return train, test


def pair_in(folder: Path, prefix: str) -> tuple[list[Path], list[Path]]:
    """The training files and the test files in a folder, sorted."""
    train = sorted(folder.glob(f"{prefix}train*.parquet"))
    return train, sorted(set(folder.glob(f"{prefix}test*.parquet")) - set(train))


def check_one_set(source: Path, word: str, files: list[Path]) -> None:
    """Raise `ArcalError` unless this is a single file or all shards of one set."""
    shards = [SHARD.search(file.stem) for file in files]
    sets = {SHARD.sub("", file.stem) for file in files}
    if len(sets) > 1 or (len(files) > 1 and None in shards):
        raise ArcalError(
            f"{source} holds several {word} sets ({', '.join(sorted(sets))}): "
            "keep one, or give a path prefix such as FOLDER/cifar10"
        )
    numbers = [(int(shard[1]), int(shard[2])) for shard in shards if shard]
    if numbers and numbers != [(n, numbers[0][1]) for n in range(numbers[0][1])]:
        raise ArcalError(
            f"{files[0].parent}: {len(files)} shards of {word} do not make one complete set of "
            f"{numbers[0][1]}: add the missing ones"
        )
