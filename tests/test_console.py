"""Progress: a bar in a terminal, and lines in a log where there is none."""

import io

from rich.console import Console

from arcal import console
from arcal.console import bar


def test_a_quiet_command_leaves_the_next_one_as_it_was():
    with console.say_less_or_more(quiet=True, verbose=False):
        assert console.console.quiet
    assert not console.console.quiet


def test_a_log_gets_a_line_every_so_often(capsys, monkeypatch):
    clock = iter(range(0, 1000, 8))
    monkeypatch.setattr(console, "monotonic", lambda: float(next(clock)))
    with bar("scoring", "images") as progress:
        for done in (200, 400, 600, 800, 1000):
            progress(done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2, "every 30 seconds, and at the end"
    assert lines[0].startswith("scoring: ")
    assert " of 1,000 images, " in lines[0]
    assert lines[0].endswith(" left")
    assert lines[-1].startswith("scoring: 1,000 of 1,000 images, ")
    assert not lines[-1].endswith("left")


def test_what_was_done_before_does_not_count_for_the_rate(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(console, "monotonic", lambda: now[0])
    with bar("scoring", "images") as progress:
        progress(900, 1000)
        now[0] = 40.0
        progress(940, 1000)
    assert "940 of 1,000 images, 1 images/s, 0:01:00 left" in capsys.readouterr().err


def test_what_is_read_between_does_not_count_for_the_rate(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(console, "monotonic", lambda: now[0])
    with bar("auditing", "inputs") as progress:
        progress.skipped(0, 1000)
        now[0] = 20.0
        progress.skipped(400, 1000)  # read from disk, in 20 seconds
        progress(420, 1000)
        now[0] = 40.0
        progress(440, 1000)
        progress.skipped(840, 1000)
        now[0] = 60.0
        progress(880, 1000)
    first, last = capsys.readouterr().err.splitlines()
    assert first == "auditing: 440 of 1,000 inputs, 2 inputs/s, 0:04:40 left"
    assert last == "auditing: 880 of 1,000 inputs, 2 inputs/s, 0:01:00 left"


def test_a_terminal_gets_a_bar(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=written, force_terminal=True, width=120))
    with bar("scoring", "images") as progress:
        progress.skipped(400, 1000)
        progress(1000, 1000)
    assert "scoring" in written.getvalue()
    assert "1000/1000" in written.getvalue()
