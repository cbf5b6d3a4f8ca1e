"""Classifiers by name: whatever a user has on disk or in an installed package becomes a model.

_open               the entry point: opens whatever a name stands for, a run or a user's own code
                    included
_opened_classifier  the result: the model, and what is known about its inputs and classes
_library_networks   a network of timm or torchvision with a file of weights
_transformers       a folder of transformers, with _image_processor and _tokenizer
_exported_program   a program of torch.export
_onnx_file          a `.onnx` file, and the same with a calibrator behind it
_drawn_weights      whether a network that code builds has random weights
_exporting          a calibrated classifier as a `.pt2`, ONNX or safetensors file
_class_names        a model's class names against the data's
"""

from arcal.classifiers._exporting import FORMATS, check_formats, export_calibrated
from arcal.classifiers._open import open_classifier
from arcal.classifiers._opened_classifier import (
    AS_THEY_ARE,
    NOT_IMITATED,
    OpenedClassifier,
    Preprocessing,
)
from arcal.external import NORMALIZATIONS, Normalization, as_normalization
from arcal.models.class_names import GENERIC, check_class_names, check_order_given, reorder

__all__ = [
    "AS_THEY_ARE",
    "FORMATS",
    "GENERIC",
    "NORMALIZATIONS",
    "NOT_IMITATED",
    "Normalization",
    "OpenedClassifier",
    "Preprocessing",
    "as_normalization",
    "check_class_names",
    "check_formats",
    "check_order_given",
    "export_calibrated",
    "open_classifier",
    "reorder",
]
