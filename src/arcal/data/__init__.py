"""Data sets whose inputs have ids that stay: readers, splits, batches.

`load` reads a data set into its three parts, `batches` walks over one part, and `WithIds` makes
any other data set yield ids. `open_official` opens corrupted test sets of others, `Resized` brings
images to another size. A part is in memory as uint8 (`InMemory`) or read from image files
on demand (`Folder`); what both promise is `Part`.
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
