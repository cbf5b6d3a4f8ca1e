"""An audit's findings as Markdown: a table of all models, and a section for a model card."""

import json
import math
import re
from collections.abc import Sequence

from arcal._version import __version__
from arcal.report.audited._amounts import ece, in_points, number, percent, percentage, signed
from arcal.report.audited._changes import changed
from arcal.report.audited._doubts import doubts
from arcal.report.audited._figures import Finding
from arcal.report.audited._words import differs, headline, share, stands_out
from arcal.report.markup import in_markdown


def markdown(findings: Sequence[Finding], data: str) -> str:
    """The summary as Markdown: a table of all models, then doubts and what stands out for each."""
    models = [one.model for one in findings]
    rows = ["ECE", "ECE if calibrated", "accuracy", "confidence − accuracy", "log-loss"]
    cells = [
        [
            ece(model.overall.ece),
            in_points(model.overall.ece_if_calibrated.value),
            f"{percent(right.value)} [{percentage(right.low)}, {percentage(right.high)}]",
            signed(model.overall.gap),
            number(model.overall.nll),
        ]
        for model in models
        for right in [model.overall.accuracy]
    ]
    if all(model.levels for model in models):
        rows.append("… in the least robust level")
        for model, column in zip(models, cells, strict=True):
            assert model.levels is not None
            column.append(signed(model.levels[0].gap))
    table = ["| | " + " | ".join(in_markdown(model.name) for model in models) + " |"]
    table += ["|---" * (len(models) + 1) + "|"]
    for i, row in enumerate(rows):
        table.append(f"| {row} | " + " | ".join(column[i] for column in cells) + " |")
    lines = [f"### Calibration on {in_markdown(data)}", "", *table, ""]
    for one in findings:
        model = one.model
        said = [*changed(one.changes, model), *stands_out(model)]
        if one.difference is not None:
            said.insert(0, differs(one.difference, answers=model.predictions.answers))
        said = [*doubts(model), *said]
        listed = (f"- {in_markdown(line)}" for line in said)
        lines += [in_markdown(headline(model)), "", *listed, ""]
    return "\n".join(lines)


def model_card(findings: Sequence[Finding], data: str) -> str:
    """A section for a model card: metadata that the Hugging Face Hub reads, then the summary."""
    metadata = ["---", "model-index:"]
    for model in (one.model for one in findings):
        metadata += [f"- name: {_quoted(model.name)}", "  results:", "  - task:"]
        metadata += ["      type: classification", "    dataset:", f"      name: {_quoted(data)}"]
        metadata += [f"      type: {_quoted(data)}", "    metrics:"]
        over = model.overall
        values = {
            "accuracy": ("Accuracy", over.accuracy),
            "expected_calibration_error": ("Expected calibration error, 15 bins", over.ece),
            "nll": ("Negative log-likelihood", over.nll),
            "brier_score": ("Brier score, summed over classes", over.brier),
        }
        if model.levels:
            values["least_robust_gap"] = (
                f"Confidence minus accuracy, least robust {share(model)}",
                model.levels[0].gap,
            )
        for kind, (name, value) in values.items():
            metadata += [f"    - type: {kind}", f"      value: {_number(value.value)}"]
            metadata += [f"      name: {_quoted(name)}", "      verified: false"]
    audited = f"Audited with arcal {__version__}; intervals are 95 %."
    return "\n".join([*metadata, "---", "", markdown(findings, data), audited, ""])


def _number(value: float) -> str:
    """A number in YAML, which would read `inf` and `1e-05` as text.

    >>> _number(0.0398), _number(1e-5), _number(math.inf)
    ('0.0398', '1.0e-05', '.inf')
    """
    if math.isinf(value):
        return ".inf"
    digits, e, power = f"{value:.6g}".partition("e")
    return f"{digits if '.' in digits or not e else f'{digits}.0'}{e}{power}"


NOT_IN_YAML = re.compile("[^ -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML reads only if they are escaped, and its line separators."""


def _quoted(text: str) -> str:
    r"""A text as JSON that YAML reads, too.

    >>> print(_quoted("Größe\x7f"))
    "Größe\u007f"
    """
    quoted = json.dumps(text, ensure_ascii=False)
    return NOT_IN_YAML.sub(lambda one: f"\\u{ord(one[0]):04x}", quoted)
