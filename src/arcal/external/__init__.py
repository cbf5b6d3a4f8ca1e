"""Users' own code and files, by name: Python code, optional libraries, weights, networks.

_python_code    a name in a file or a package: code runs because it is named
_library        libraries that are imported only when needed, and names that are nearly right
_weights        files of weights, read without unpickling and fitted to a network
_normalization  what is done to inputs in [0, 1] before a network sees them
_attacks        a user's own attack
_calibrators    a user's own calibrator
_networks       a network to be trained, for some classes and some shape of images
"""

from arcal.external._attacks import open_attack
from arcal.external._calibrators import OwnCalibrator, blamed_on, open_calibrator
from arcal.external._library import (
    CENTRED,
    check_torchvision,
    library,
    near,
    no_weights,
    parameters,
    timm_config,
    versions,
)
from arcal.external._networks import NetworkSource
from arcal.external._normalization import NORMALIZATIONS, Normalization, as_normalization
from arcal.external._python_code import (
    check_name,
    check_needs_none,
    named_in_code,
    needed_arguments,
    one_line,
)
from arcal.external._weights import Weights, load_into, read_weights

__all__ = [
    "CENTRED",
    "NORMALIZATIONS",
    "NetworkSource",
    "Normalization",
    "OwnCalibrator",
    "Weights",
    "as_normalization",
    "blamed_on",
    "check_name",
    "check_needs_none",
    "check_torchvision",
    "library",
    "load_into",
    "named_in_code",
    "near",
    "needed_arguments",
    "no_weights",
    "one_line",
    "open_attack",
    "open_calibrator",
    "parameters",
    "read_weights",
    "timm_config",
    "versions",
]
