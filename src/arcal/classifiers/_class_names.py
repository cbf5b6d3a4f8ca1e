"""The entries of a program that say what its classes are, and what it was calibrated on."""

from collections.abc import Callable
from typing import Any

from arcal.files import parse_json
from arcal.models.class_names import all_names

CALIBRATED_ON = "calibrated_on.json"
"""The entry of a program with the fingerprint of the inputs that its calibrator was fitted to."""

CLASS_NAMES = "class_names.json"
"""The entry of a program with the names of its classes: a list, in the order of its outputs."""


def read_entries(
    entry: Callable[[str], str | bytes | None],
) -> tuple[tuple[str, ...] | None, str | None]:
    """The class names and the fingerprint; None for an entry that is missing or something else.

    >>> read_entries({CLASS_NAMES: '["cat", "dog"]', CALIBRATED_ON: '"0123456789abcdef"'}.get)
    (('cat', 'dog'), '0123456789abcdef')
    >>> read_entries({CLASS_NAMES: '{"cat": 0}'}.get)
    (None, None)
    """
    names, calibrated_on = all_names(_json(entry(CLASS_NAMES))), _json(entry(CALIBRATED_ON))
    return (
        names if len(names) > 1 else None,
        calibrated_on if isinstance(calibrated_on, str) else None,
    )


def _json(text: str | bytes | None) -> Any:
    """The value of a JSON text; None if the text is missing or not JSON."""
    try:
        return parse_json(text) if text else None
    except ValueError:
        return None
