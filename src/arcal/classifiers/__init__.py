"""Classifiers by name: whatever a user has on disk or in an installed package becomes a model.

_open               the entry point: opens whatever a name stands for, a user's own code included
_opened_classifier  the result: the model, and what is known about its inputs and classes
_code               what a name in Python code stands for
_libraries          optional libraries, imported only when they are needed
_weights            files of weights, read without unpickling and fitted to a network
_normalization      what is done to images in [0, 1] before a network sees them
_library_networks   a network of timm or torchvision with a file of weights
_transformers       a folder of transformers, with _image_processor and _tokenizer
_exported_program   a program of torch.export
_onnx_file          a `.onnx` file, and the same with a calibrator behind it
_drawn_weights      whether a network that code builds has random weights
_exporting          a calibrated classifier as a `.pt2`, ONNX or safetensors file
_class_names        a model's class names against the data's
"""

from arcal.classifiers._class_names import GENERIC, check_class_names, check_order_given, reorder
from arcal.classifiers._code import (
    check_name,
    check_needs_none,
    named_in_code,
    needed_arguments,
    one_line,
    source_of,
)
from arcal.classifiers._exporting import FORMATS, check_formats, export_calibrated
from arcal.classifiers._libraries import (
    CENTRED,
    check_torchvision,
    library,
    near,
    parameters,
    timm_config,
    versions,
)
from arcal.classifiers._normalization import (
    IMAGENET,
    NORMALIZATIONS,
    Normalization,
    as_normalization,
)
from arcal.classifiers._open import open_classifier
from arcal.classifiers._opened_classifier import (
    AS_THEY_ARE,
    NOT_IMITATED,
    OpenedClassifier,
    Preprocessing,
)
from arcal.classifiers._weights import Weights, load_into, read_weights

__all__ = [
    "AS_THEY_ARE",
    "CENTRED",
    "FORMATS",
    "GENERIC",
    "IMAGENET",
    "NORMALIZATIONS",
    "NOT_IMITATED",
    "Normalization",
    "OpenedClassifier",
    "Preprocessing",
    "Weights",
    "as_normalization",
    "check_class_names",
    "check_formats",
    "check_name",
    "check_needs_none",
    "check_order_given",
    "check_torchvision",
    "export_calibrated",
    "library",
    "load_into",
    "named_in_code",
    "near",
    "needed_arguments",
    "one_line",
    "open_classifier",
    "parameters",
    "read_weights",
    "reorder",
    "source_of",
    "timm_config",
    "versions",
]
