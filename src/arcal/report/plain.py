"""Values as JSON can hold them."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

from arcal.auditing import Spread


def plain(value: Any) -> Any:
    """A value as JSON can hold it: what is not finite is None, and figures are by their names.

    >>> plain({"gap": Spread((0.25, math.nan)).values, "levels": torch.arange(2)})
    {'gap': [0.25, None], 'levels': [0, 1]}
    """
    if isinstance(value, Spread):
        value = {"mean": value.mean, "deviation": value.deviation, "values": value.values}
    elif is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, torch.Tensor | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
