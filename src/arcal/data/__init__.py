"""Data sets whose inputs have stable ids: readers, splits and batches.

`load` reads a data set as a training, a validation and a test part; `load_part` reads one part
alone, in whatever form it is stored, and `batches` iterates over a part. A part is in memory as
uint8 (`InMemory`) or decodes its images on demand (`OnDemand`, and `Folder` for training); `Part`
is their protocol. `load_table` and `load_texts` read numbers and texts, and `kind_of` says which of
the three a source holds. `WithIds` adds ids to any other data set, and `Resized` changes the size
of images.
"""

from arcal.data._batches import ReadAhead, WithIds, as_input, batches
from arcal.data._load import Data, load, load_test
from arcal.data._load_part import load_part
from arcal.data.folder import Folder
from arcal.data.kinds import Kind, kind_of
from arcal.data.listings import load_columns
from arcal.data.on_demand import OnDemand, check_images
from arcal.data.part import Broken, InMemory, Part, Resized
from arcal.data.tables import Table, load_table
from arcal.data.texts import Texts, load_texts

__all__ = [
    "Broken",
    "Data",
    "Folder",
    "InMemory",
    "Kind",
    "OnDemand",
    "Part",
    "ReadAhead",
    "Resized",
    "Table",
    "Texts",
    "WithIds",
    "as_input",
    "batches",
    "check_images",
    "kind_of",
    "load",
    "load_columns",
    "load_part",
    "load_table",
    "load_test",
    "load_texts",
]
