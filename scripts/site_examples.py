"""Examples in docstrings as blocks of code: to Markdown, `>>>` would be a quotation."""

import re
from typing import Any

from griffe import Extension, Object

EXAMPLE = re.compile(r"((?:^>>> .*\n?(?:^(?!>>> |\s*$).*\n?)*)+)", re.MULTILINE)


def fenced(text: str) -> str:
    r"""A docstring with its examples in fences.

    >>> fenced("Adds.\n\n>>> 1 + 1\n2")
    'Adds.\n\n```pycon\n>>> 1 + 1\n2\n```\n'
    """
    return EXAMPLE.sub(lambda match: f"```pycon\n{match[1].rstrip()}\n```\n", text)


class Examples(Extension):
    """Called by griffe for everything it reads."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
