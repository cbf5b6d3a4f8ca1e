"""Printing to outputs that cannot encode every character, such as a file on Windows.

A pipe or a file there has the few hundred characters of its code page, and elsewhere perhaps only
ASCII. Characters that arcal itself prints are replaced by ASCII text; any other character, such as
one in a user's class name, becomes an escape that stands for it alone.
"""

import codecs
import os
import sys
from pathlib import Path

NAMES = {
    "±": "+-",
    "×": "x",
    "−": "-",
    "–": "-",
    "·": ".",
    "…": "...",
    "“": '"',
    "”": '"',
    "↓": "v",
    "↑": "^",
    "→": "->",
    "←": "<-",
    "✓": "*",
    "─": "-",
    "│": "|",
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "ε": "epsilon",
    "λ": "lambda",
    "ρ": "rho",
    "σ": "sigma",
    "⁻": "^-",
    "²": "^2",
    "³": "^3",
}
"""The ASCII text that replaces each character."""


def readable(error: UnicodeError) -> tuple[str, int]:
    """An error handler for `codecs`: the replacement for characters that cannot be encoded.

    An exponent such as that of 10⁻² gets a single ^ if both of its characters are replaced.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text, start, end = error.object, error.start, error.end
    out = ""
    for place in range(start, end):
        sign = text[place]
        name = NAMES.get(sign) or sign.encode("unicode_escape", "surrogatepass").decode()
        out += name.removeprefix("^") if text[place - 1 : place] == "⁻" else name
    return out, end


def print_what_can_be() -> None:
    """Make printing safe from characters that the encoding lacks, and from closed outputs.

    A service, or `2>&-`, may start the program with an output that is closed.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # It takes the free file descriptor: libraries would write to a file opened later.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    codecs.register_error("arcal.readable", readable)
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="arcal.readable")
