"""Multiple-choice samples logged by lm-evaluation-harness: log-likelihoods of the options."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arcal.errors import ArcalError
from arcal.printable import one_line

SAMPLES = {"doc_id", "target", "filtered_resps"}
"""Keys that every sample has."""
LEFT_OUT = {*SAMPLES, "resps", "arguments", "filter", "metrics", "id", "label", "logits"}
"""Keys not kept as columns: they are read, repeat what is read, or would clash with its names."""
HASH = "_hash"
WITHOUT_QUESTION = "acc_mutual_info"
"""A measure for which every option is logged a second time, without its question."""
SHOWN = 60
"""The most characters of a target that an error shows."""


def are_samples(row: Mapping[str, Any]) -> bool:
    """Whether a row is a sample that lm-evaluation-harness logged.

    >>> are_samples({"doc_id": 0, "target": "1", "filtered_resps": [["-1.5", "False"]]})
    True
    """
    return set(row) >= SAMPLES


def keys_of_samples(row: Mapping[str, Any]) -> list[str]:
    """The keys that a sample has once it is read as predictions.

    >>> keys_of_samples({"doc_id": 0, "doc": {}, "target": "1", "filtered_resps": []})
    ['id', 'label', 'logits', 'doc']
    """
    return ["id", "label", "logits", *_rest(row)]


def predictions_in_samples(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Samples as predictions: the log-likelihoods of the options are logits, the target a label.

    The classes are the texts of the options if these are the same in all samples, such as A to D,
    and otherwise numbers from 0. An option that a question lacks gets a logit of -inf. A target is
    the number of an option or its text, whichever agrees with `acc`, which says if the most
    probable option is right. If two options have the same text after different questions, `acc`
    alone decides. If tasks share a file, so that each `doc_id` starts from 0 again, the ids are the
    hashes of the questions. Samples of generated text, and targets that do not agree with `acc`
    raise `ArcalError`.

    >>> options = {"gen_args_0": {"arg_0": "Is it so?", "arg_1": " no"},
    ...            "gen_args_1": {"arg_0": "Is it so?", "arg_1": " yes"}}
    >>> sample = {"doc_id": 7, "doc": {"topic": "law"}, "target": "yes", "arguments": options,
    ...           "filtered_resps": [["-2.5", "False"], ["-0.5", "True"]], "acc": 1.0}
    >>> predictions_in_samples([sample])[0]
    {'id': 7, 'label': 'yes', 'logits': {'no': -2.5, 'yes': -0.5}, 'doc': {'topic': 'law'}, \
'acc': 1.0}
    """
    if other := next((i for i, row in enumerate(rows) if not are_samples(row)), None):
        raise ArcalError(f"row {other} is not a sample like row 0: keep rows of one kind")
    logits = [_log_likelihoods(row, i) for i, row in enumerate(rows)]
    options = [_options(row, len(z)) for row, z in zip(rows, logits, strict=True)]
    right = _right_options(rows, logits, options)
    Z = max(map(len, logits))
    first = options[0]
    named = len({*first}) == len(first) == Z and all(one == first for one in options)
    names = first if named else [str(z) for z in range(Z)]
    alone = len({str(row["doc_id"]) for row in rows}) == len(rows)
    return [
        {
            "id": row["doc_id"] if alone else row.get("doc_hash"),
            "label": names[label] if named else label,
            "logits": dict(zip(names, [*z, *[-np.inf] * (Z - len(z))], strict=True)),
            **_rest(row),
        }
        for row, z, label in zip(rows, logits, right, strict=True)
    ]


def _rest(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in row.items()
        if key not in LEFT_OUT
        and not key.endswith(HASH)
        and not isinstance(value, list)  # the inputs of a measure, such as [1, [0.25, 0.75]]
    }


def _log_likelihoods(row: Mapping[str, Any], i: int) -> list[float]:
    """The log-likelihoods of a sample's options.

    Each is logged together with whether the model would generate this option.
    """
    said = row["filtered_resps"]
    pairs = isinstance(said, list) and all(isinstance(one, list) and len(one) == 2 for one in said)
    try:
        values = [float(one[0]) for one in said] if pairs else []
    except (TypeError, ValueError):
        values = []
    if WITHOUT_QUESTION in row:
        values = values[: len(values) // 2]
    if len(values) < 2:
        raise ArcalError(
            f"filtered_resps of row {i} are not the log-likelihoods of several options: for "
            "generated answers give a confidence in each, as `confidence`, and whether it is "
            "right, as `correct`"
        )
    return values


def _options(row: Mapping[str, Any], n: int) -> list[str]:
    """The texts of the n options, or their numbers if the texts are not logged."""
    arguments = row.get("arguments")
    if isinstance(arguments, Mapping):
        continuations = [one.get("arg_1") for one in arguments.values() if isinstance(one, Mapping)]
    else:  # earlier versions log [["Is it so?", " no"], ["Is it so?", " yes"]]
        pairs = arguments if isinstance(arguments, list) else []
        continuations = [one[1] for one in pairs if isinstance(one, list) and len(one) == 2]
    texts = [text.strip() for text in continuations[:n] if isinstance(text, str)]
    return texts if len(texts) == n else [str(z) for z in range(n)]


def _right_options(
    rows: Sequence[Mapping[str, Any]],
    logits: Sequence[Sequence[float]],
    options: Sequence[Sequence[str]],
) -> list[int]:
    """The right option of each sample: the target is its number or its text, or `acc` tells."""
    by_number = [_number(row["target"], len(z)) for row, z in zip(rows, logits, strict=True)]
    by_text = [
        said.index(text) if said.count(text := str(row["target"]).strip()) == 1 else None
        for row, said in zip(rows, options, strict=True)
    ]
    by_acc = [_by_acc(row, z, said) for row, z, said in zip(rows, logits, options, strict=True)]
    ways = (by_number, by_text, by_acc)
    readings = [
        known for one in ways if len(known := [z for z in one if z is not None]) == len(rows)
    ]
    if not readings:
        neither = (i for i, known in enumerate(zip(*ways, strict=True)) if {*known} == {None})
        row = next(neither, by_number.index(None))
        target = one_line(rows[row]["target"])[:SHOWN]
        raise ArcalError(
            f"the target of row {row} ({target}) is neither the number nor the text "
            "of one option: give samples with one right option each"
        )
    agreeing = [one for one in readings if _disagreement(rows, logits, one) is None]
    if not agreeing:
        row = _disagreement(rows, logits, readings[0])
        raise ArcalError(
            f"acc of row {row} does not agree with its target and the log-likelihoods of its "
            "options: give samples as they were logged"
        )
    if any(one != agreeing[0] for one in agreeing):
        raise ArcalError(
            "targets may be numbers or texts of options, and no acc says which: give samples as "
            "they were logged"
        )
    return agreeing[0]


def _by_acc(row: Mapping[str, Any], z: Sequence[float], options: Sequence[str]) -> int | None:
    """Which of two options with the same text after different questions is right, from `acc`.

    Winogrande has such samples, whose target is this text; None for any other sample.
    """
    alike = len(z) == 2 and {*options} == {str(row["target"]).strip()}
    if not alike or row.get("acc") not in (0, 1):
        return None
    best = int(np.argmax(z))
    return best if row["acc"] else 1 - best


def _number(target: Any, n: int) -> int | None:
    """A target as the number of one of n options; it may be text, or alone in a list."""
    try:
        value = json.loads(target) if isinstance(target, str) else target
    except ValueError:
        return None
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < n else None


def _disagreement(
    rows: Sequence[Mapping[str, Any]],
    logits: Sequence[Sequence[float]],
    right: Sequence[int | None],
) -> int | None:
    """The first row whose `acc` contradicts the `right` options, or None."""
    for i, (row, z, label) in enumerate(zip(rows, logits, right, strict=True)):
        acc = row.get("acc")
        if acc is not None and acc != (int(np.argmax(z)) == label):
            return i
    return None
