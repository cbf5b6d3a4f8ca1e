"""The entries of a program that say what its classes are, and what it was calibrated on."""

from typing import Any

from arcal.files import parse_json
from arcal.models.class_names import all_names

CALIBRATED_ON = "calibrated_on.json"
"""The entry of a program with the fingerprint of the inputs that its calibrator was fitted to."""

CLASS_NAMES = "class_names.json"
"""The entry of a program with the names of its classes: a list, in the order of its outputs."""


def read_class_names(text: str | bytes | None) -> tuple[str, ...] | None:
    """The class names in such an entry; None if it is missing or holds something else.

    >>> read_class_names('["cat", "dog"]'), read_class_names('{"cat": 0}')
    (('cat', 'dog'), None)
    """
    names = all_names(_json(text))
    return names if len(names) > 1 else None


def read_calibrated_on(text: str | bytes | None) -> str | None:
    """The fingerprint in such an entry; None if it is missing or holds something else.

    >>> read_calibrated_on('"0123456789abcdef"'), read_calibrated_on("[1]")
    ('0123456789abcdef', None)
    """
    said = _json(text)
    return said if isinstance(said, str) else None


def _json(text: str | bytes | None) -> Any:
    """The value of a JSON text; None if the text is missing or not JSON."""
    try:
        return parse_json(text) if text else None
    except ValueError:
        return None
