"""Which Parquet files are the training and the test set of a folder or a path prefix."""

import re
from glob import escape
from pathlib import Path

from arcal.errors import ArcalError

# train-00000-of-00002.parquet; the hub's older files end in a hash
SHARD = re.compile(r"-(\d{5})-of-(\d{5})(-[0-9a-f]+)?$")


def find(source: Path) -> tuple[list[Path], list[Path]] | None:
    """The files of the training and of the test set; None where there are neither."""
    if source.is_dir():
        folders = [source, *sorted(path for path in source.iterdir() if path.is_dir())]
        prefix = "*"
    else:
        folders, prefix = [source.parent], f"{escape(source.name)}-"
    found = [pair for folder in folders if any(pair := pair_in(folder, prefix))]
    if not found:
        return None
    if len(found) > 1:
        where = ", ".join(str((train + test)[0].parent) for train, test in found)
        raise ArcalError(f"{source} holds Parquet sets in more than one folder ({where}): name one")
    train, test = found[0]
    for files, word in ((train, "train"), (test, "test")):
        if not files:
            raise ArcalError(f"{source}: there is no {prefix}{word}*.parquet beside the other set")
        check_one_set(source, word, files)
    return train, test


def pair_in(folder: Path, prefix: str) -> tuple[list[Path], list[Path]]:
    """The folder's training files and test files, sorted."""
    train = sorted(folder.glob(f"{prefix}train*.parquet"))
    return train, sorted(set(folder.glob(f"{prefix}test*.parquet")) - set(train))


def check_one_set(source: Path, word: str, files: list[Path]) -> None:
    """Raise unless the files are one file, or all the shards of one set."""
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
            f"{numbers[0][1]}"
        )
