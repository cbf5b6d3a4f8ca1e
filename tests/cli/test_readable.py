"""What a pipe or a file of few characters gets, such as one of a code page on Windows."""

import codecs
import io
import os
import sys

import pytest

from arcal.cli._readable import print_what_can_be, readable

SAID = "ρ = 0.5 ± 0.1, ECE 5.52 ×10⁻² → naïve 猫"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", SAID),
        ("cp1252", "rho = 0.5 ± 0.1, ECE 5.52 ×10^-² -> naïve \\u732b"),
        ("ascii", "rho = 0.5 +- 0.1, ECE 5.52 x10^-2 -> na\\xefve \\u732b"),
    ],
)
def test_signs_get_names_and_names_escapes(encoding, shown):
    codecs.register_error("test.readable", readable)
    assert SAID.encode(encoding, "test.readable").decode(encoding) == shown


def test_what_is_printed_never_fails(monkeypatch):
    whole = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(whole, encoding="ascii"))
    print_what_can_be()
    print("5.52 ± 0.1", flush=True)
    assert whole.getvalue() == b"5.52 +- 0.1\n"


def test_a_closed_output_takes_what_is_printed(monkeypatch):
    """As a service's may be, or one closed by `2>&-`; Python then has no such stream."""
    monkeypatch.setattr("sys.stderr", None)
    print_what_can_be()
    with sys.stderr as opened:
        print("stopped", file=opened, flush=True)
        assert opened.name == os.devnull
