"""Data sets whose inputs have stable ids: readers, splits and batches.

`load` reads a data set as a training, a validation and a test part, and `batches` iterates over a
part. A part is in memory as uint8 (`InMemory`) or reads image files on demand (`Folder`); `Part` is
the protocol of both. `WithIds` adds ids to any other data set, `open_official` opens official
corrupted test sets, and `Resized` changes the size of images.
"""

from arcal.data._batches import as_input, batches
from arcal.data._load import Data, load, load_test
from arcal.data.folder import Folder
from arcal.data.official_corruptions import open_official
from arcal.data.part import InMemory, Part
from arcal.data.resized import Resized
from arcal.data.with_ids import WithIds

__all__ = [
    "Data",
    "Folder",
    "InMemory",
    "Part",
    "Resized",
    "WithIds",
    "as_input",
    "batches",
    "load",
    "load_test",
    "open_official",
]
