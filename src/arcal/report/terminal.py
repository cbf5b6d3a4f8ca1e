"""What `arcal evaluate` prints: a table for each set, or a record for each run and set.

Also what `arcal calibrate` prints and writes: a table of calibrators, and the same as JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from arcal.auditing import Candidate, Choice, Subject
from arcal.calibration.posthoc import Calibrator, Temperature, Today, VectorScaling
from arcal.report.audited import acting_json, acts_alone, number
from arcal.report.markup import PrintedTable, printed_tables
from arcal.report.names import listed, name_subjects, noun, posthoc_names
from arcal.report.numbers import plain
from arcal.report.tables import Column

NAME = 9
"""The least width of the names in a printed table, in characters; longer names are wrapped."""
LEFT_OUT = ("aurc", "brier")
"""Measures that a narrow terminal leaves out, in this order."""


def as_records(subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """One record for each run and set: method, seeds, set and measures, None if not finite.

    For other data the measures are the two AUROCs.
    """
    by_set = [
        (subject, name, runs)
        for subject in subjects
        for name, runs in (
            *((where.name, measures.runs) for where, measures in subject.measures.items()),
            *((other.name, [vars(run) for run in other.runs]) for other in subject.ood),
        )
    ]
    return [
        plain({"method": subject.name, "seeds": seeds, "set": name, **figures})
        for subject, name, runs in by_set
        for seeds, figures in zip(subject.seeds, runs, strict=True)
    ]


def print_table(subjects: Sequence[Subject], console: Console | None = None) -> None:
    """Print mean ± deviation over runs of every measure, subject and set; the best is bold.

    If a terminal is too narrow, measures in `LEFT_OUT` are left out, and a line says so.
    """
    tables = list(printed_tables(subjects))
    names = name_subjects(subjects)
    console = console or Console()
    for name, subject in zip(names, subjects, strict=True):
        n = len(subject.seeds)
        console.print(Text(f"{name.title}: {n} {'run' if n == 1 else 'runs'}"))
    short = [name.short for name in names]
    left_out: dict[str, None] = {}
    for table in tables:
        left_out |= dict.fromkeys(_print(console, table, short))
    if left_out:
        console.print(Text(f"a wider terminal shows {listed(list(left_out))} as well"))


def _print(console: Console, printed: PrintedTable, names: list[str]) -> list[str]:
    """Print one table, and return the titles of the columns that were left out."""
    columns, rows = printed.columns, printed.rows
    name = max(NAME, *(len(word) for name in names for word in name.split()))

    def width(columns: Sequence[Column]) -> int:
        return name + 3 + sum(column.characters(rows) + 2 for column in columns)

    every = columns
    for measure in LEFT_OUT if console.is_terminal else ():
        if width(columns) > console.width:
            columns = [column for column in columns if column.measure != measure]
    table = Table(
        title=escape(printed.title), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("Method", min_width=name)
    for column in columns:
        header = f"{column.title}\n{column.words}"
        table.add_column(header, justify="right", no_wrap=True)
    shown = replace(printed, columns=columns)
    lines = shown.cells(lambda text: Text(text, "bold"), Text)
    for method, cells in zip(names, lines, strict=True):
        table.add_row(Text(method), *cells)
    whole = width(columns) if console.is_terminal else _width(table, console)
    console.width = max(console.width, whole)  # otherwise numbers would be cut off
    print_lines(table, console)
    return [column.title for column in every if column not in columns]


def print_lines(table: Table, console: Console) -> None:
    """Print a table, without trailing blanks in its lines if it goes to a file."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as lines:
        console.print(table)
    for line in lines.get().splitlines():
        console.out(line.rstrip(), highlight=False)


HEADERS = ("Calibrator", "log-loss", "change of log-loss", "ECE, points", "accuracy, %")
WIDEST = 200


def print_choice(choice: Choice, console: Console | None = None) -> None:
    """Print one row per calibrator, with intervals; the one that was picked is bold.

    A terminal too narrow for all intervals shows only those of the change and of the ECE.
    """
    console = console or Console()
    table = _table(choice)
    if console.is_terminal and _width(table, console) > console.width:
        table = _table(choice, short=True)
    console.width = max(console.width, _width(table, console))  # otherwise numbers would be cut off
    print_lines(table, console)


def _width(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(max_width=WIDEST)).maximum


def _table(choice: Choice, *, short: bool = False) -> Table:
    title = f"{choice.inputs:,} {noun(answers=choice.answers)}s, each judged by calibrators fitted "
    title += "without it; 95 % intervals"
    padding = 0 if short else (0, 1, 0, 0)
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=padding)
    table.show_edge = not short
    for i, header in enumerate(HEADERS):
        table.add_column(header, justify="right" if i else "left", no_wrap=True)
    rows = sorted(choice.candidates.values(), key=lambda one: one.nll.value)
    for one in (choice.before, *rows):
        style = "bold" if one.name == choice.picked else ""
        cells = _cells(one, one is choice.before, short)
        table.add_row(*(Text(cell, style) for cell in cells))
    return table


def _cells(one: Candidate, uncalibrated: bool, short: bool) -> list[str]:
    accuracy = f"{100 * one.accuracy.value:.2f}"
    return [
        "uncalibrated" if uncalibrated else one.name,
        number(one.nll, interval=not short),
        "" if uncalibrated else number(one.change, "+"),
        f"{100 * one.ece.value:.2f} [{100 * one.ece.low:.2f}, {100 * one.ece.high:.2f}]",
        f"{accuracy}{'' if one.keeps_accuracy else ' *'}",
    ]


def sentences(choice: Choice) -> list[str]:
    """What was picked and why, and whatever else the table does not show."""
    lines, taken = [], choice.candidates.get(choice.picked or "", choice.before)
    if choice.picked is None:
        lines.append(f"picked: none; {choice.why}")
    else:
        words = posthoc_names(choice.picked, answers=choice.answers)[1]
        lines.append(f"picked: {choice.picked}, {words}; {choice.why}")
        formula = log_odds(choice.calibrator) if choice.answers else None
        lines.append(formula or str(choice.calibrator))
    if taken.ece.low > 0:
        value, before = (100 * one.ece.value for one in (taken, choice.before))
        subject = "the ECE is" if choice.picked is None else "calibrated, the ECE is"
        still = " still" * (choice.picked is not None and value <= before)
        since = f"; it was {before:.2f} before" * (value > before)
        lines.append(f"{subject}{still} {value:.2f} points, more than chance explains{since}")
    lines += _starred(choice, taken)
    right = max(taken.accuracy.value, choice.most_frequent)
    acts = acts_alone(choice.acting, right, answers=choice.answers)
    if acts is not None:
        lines.append(f"{'uncalibrated' if choice.picked is None else 'calibrated'}: {acts}")
    alike: dict[str, list[str]] = {}
    for name, line in choice.refused.items():
        alike.setdefault(line, []).append(name)
    for line, names in alike.items():
        lines.append(f"{listed(names)} {'is' if len(names) == 1 else 'are'} left out: {line}")
    return lines


def _starred(choice: Choice, taken: Candidate) -> list[str]:
    """The line on calibrators that can change predictions, which have a star in the table."""
    if all(one.keeps_accuracy for one in choice.candidates.values()):
        return []
    starred = "* can change predictions" + ", and is not picked" * taken.keeps_accuracy
    if choice.unseen:
        others = len(choice.unseen) - 1
        return [
            starred,
            f"no labelled input is of class {choice.unseen[0]}, counted from 0"
            + f", nor of {others:,} other class{'es' * (others > 1)}" * (others > 0)
            + ": calibrators that can change predictions (*) make such a class improbable on every "
            "input, which their log-loss does not show; give inputs of all classes",
        ]
    better = _better_if_changed(choice)
    if taken.keeps_accuracy and better is not None:
        starred += (
            f" unless named alone; {better.name} has a log-loss lower than "
            f"{choice.picked or 'the model'} by {taken.nll.value - better.nll.value:.4f}, more "
            f"than chance explains: compare with `--calibrators {better.name}`"
        )
    return [starred]


def log_odds(calibrator: Calibrator | None) -> str | None:
    """The formula by which a calibrator changes a confidence c; None if there is no formula.

    >>> log_odds(Temperature(2.0))
    'calibrated log-odds = log(c / (1 - c)) / 2'
    """
    if isinstance(calibrator, Temperature):
        return f"calibrated log-odds = log(c / (1 - c)) / {calibrator.T.item():.6g}"
    if isinstance(calibrator, VectorScaling):
        (w, v), (b, d) = calibrator.w.tolist(), calibrator.b.tolist()
        terms = f"{w:.6g} log c {_term(-v)} log(1 - c) {_term(b - d)}"
        return f"calibrated log-odds = {terms}"
    return None


def _term(number: float) -> str:
    return f"{'-' if number < 0 else '+'} {abs(number):.6g}"


def _better_if_changed(choice: Choice) -> Candidate | None:
    """The best calibrator that changes predictions, if it is shown to beat all that do not."""
    better = [
        one
        for one in choice.candidates.values()
        if not one.keeps_accuracy and max(one.behind.high, one.change.high) < 0
    ]
    return min(better, key=lambda one: one.nll.value, default=None)


WHEN_IT_HOLDS = (
    "(an estimate without labels, from the share of inputs below an entropy: it holds only for "
    "inputs of the same classes, is too low where the model is merely less sure, and too high "
    "where it has become wrong but stayed sure)"
)
WHEN_ANSWERS_HOLD = (
    "(an estimate without labels, from the share of answers above a confidence: it is too low "
    "where answers are merely less sure, for which the mean confidence is the better estimate, "
    "and too high where they have become wrong but stayed sure)"
)


def today_sentences(estimates: Mapping[str, Today], choice: Choice) -> list[str]:
    """How often the model is right on unlabelled inputs, and how sure it should be.

    `estimates` are by the name of each set, "" for a single set.
    """
    labelled = f"({100 * choice.before.accuracy.value:.1f} % on the labelled ones)"
    lines, doubts = list[str](), list[str]()
    for name, today in estimates.items():
        right, low, high, sure = (
            f"{100 * share:.1f}"
            for share in (today.accuracy, today.low, today.high, today.confidence)
        )
        what = f"{name}, {today.n:,}" if name else f"the {today.n:,}"
        said, T = f"{right} % [{low}, {high}]", f"T={today.T:.4g}"
        inputs = "input" if today.n == 1 else "inputs"
        if choice.answers and lines:
            lines.append(f"{what} unlabelled answers: {said}; mean confidence {sure} %")
        elif choice.answers:
            after = " after calibration" if choice.picked else ""
            lines.append(
                f"{what} unlabelled answers: about {said} are right {labelled}; their mean "
                f"confidence{after} is {sure} %"
            )
        elif lines:
            lines.append(f"{what} unlabelled {inputs}: {said}; mean confidence {sure} %; {T}")
        else:  # the estimate is for the model's own predictions
            whose = f"the model, without {choice.picked}," if choice.changed else "the model"
            lines.append(
                f"{what} unlabelled {inputs}: {whose} is right on about {said} {labelled}; with "
                f"the labelled ones' temperature its mean confidence on these is {sure} %; the "
                f"temperature for these is {T}"
            )
        if today.doubt is not None:
            doubts.append(f"{name}: {today.doubt}" if name else today.doubt)
    if lines:
        lines.append(WHEN_ANSWERS_HOLD if choice.answers else WHEN_IT_HOLDS)
    return [*lines, *doubts]


def choice_json(choice: Choice) -> dict[str, Any]:
    """The findings as JSON values."""
    return {
        "inputs": choice.inputs,
        "picked": choice.picked,
        "why": choice.why,
        "changed_predictions": choice.changed,
        "before": plain(choice.before),
        "calibrators": plain(tuple(choice.candidates.values())),
        "refused": dict(choice.refused),
        "acting": plain(acting_json(choice.acting)),
    }
