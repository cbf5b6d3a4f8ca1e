"""Data sets whose inputs have ids that stay: readers, splits, batches.

`load` reads a data set into its three parts, `batches` walks over one part, and `WithIds` makes
any other data set yield ids. A part is in memory as uint8 (`InMemory`) or read from image files
on demand (`Folder`); what both promise is `Part`.
"""

from arcal.data.batches import batches
from arcal.data.folder import Folder
from arcal.data.load import Data, load
from arcal.data.part import InMemory, Part
from arcal.data.with_ids import WithIds

__all__ = ["Data", "Folder", "InMemory", "Part", "WithIds", "batches", "load"]
