"""What is printed where the output cannot have every character, such as in a file on Windows.

A pipe or a file there has the few hundred characters of its code page, and elsewhere perhaps ASCII
alone. Signs that arcal prints get a name; any other character, such as one of a user's class
names, is an escape, which no two share.
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
"""By the sign, what stands for it in ASCII."""


def readable(error: UnicodeError) -> tuple[str, int]:
    """A handler of errors for `codecs`: what stands for characters that cannot be encoded.

    The exponent in 10⁻² is one, whichever of its characters the encoding lacks.
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
    """From here on nothing that is printed fails: not for a character that its encoding lacks, and
    not because the output is closed, as a service or `2>&-` may leave it.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # It takes the free number, or a file opened later would get what libraries write.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    codecs.register_error("arcal.readable", readable)
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="arcal.readable")
