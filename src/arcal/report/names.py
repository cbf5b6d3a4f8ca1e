"""What methods and evaluation sets are called, and the colour a method has in every picture."""

import re
from dataclasses import dataclass

_KINDS = {
    "vanilla": ("Vanilla", ("#555555", "o")),
    "label-smoothing": ("Label smoothing", ("#E69F00", "s")),
    "adals": ("AdaLS", ("#56B4E9", "^")),
    "ar-adals": ("AR-AdaLS", ("#0072B2", "D")),
}
_POSTHOC = {
    "temperature": ("TS", "temperature scaling"),
    "ets": ("ETS", "ensemble temperature scaling"),
    "irm": ("IRM", "one isotonic function for the probabilities of all classes"),
    "irova-ts": ("IROvA-TS", "temperature scaling, then an isotonic function for each class"),
}
_SPARE = (("#009E73", "v"), ("#CC79A7", "P"), ("#D55E00", "X"), ("#882255", "p"))
_OWN = {method: look for method, (_, look) in _KINDS.items()} | {"vanilla + temperature": _SPARE[0]}
_COLOURS, _MARKERS = zip(*_SPARE, *(look for _, look in _KINDS.values()), strict=True)
_LOOKS = [
    (colour, _MARKERS[(i + turn) % len(_MARKERS)])
    for turn in range(len(_MARKERS))
    for i, colour in enumerate(_COLOURS)
]
"""Every colour with its own marker, then with the others'."""

_SYMBOLS = {"alpha": "α", "epsilon": "ε"}

ABOUT = {
    "Vanilla": "cross-entropy with the labels as they are",
    "Label smoothing": "every label gives away the same share ε to all classes",
    "AdaLS": "label smoothing whose share follows the validation set's over-confidence",
    "AR-AdaLS": "AdaLS with a share of its own for each of R levels of adversarial robustness",
}
ABOUT |= {
    f"{kind} + {short}": f"the same after training: {words}, fitted on validation images"
    for kind in tuple(ABOUT)
    for short, words in _POSTHOC.values()
}
"""The known kinds of method in a line each."""


@dataclass(frozen=True)
class Name:
    """How one method is shown.

    `kind` is the method without its settings, `settings` all of them in words, and `short` the
    kind with only those that tell it from other methods of its kind. Colours are safe for
    colour-blind readers (the palette of Okabe and Ito) and never the only sign: each comes with a
    marker.
    """

    label: str
    kind: str
    settings: str
    short: str
    colour: str
    marker: str

    @property
    def posthoc(self) -> bool:
        """Whether it is a method with a calibration after its training."""
        return " + " in self.kind

    @property
    def title(self) -> str:
        """The kind with all settings."""
        return f"{self.kind}, {self.settings}" if self.settings else self.kind

    @property
    def on_lines(self) -> str:
        """The short name with its settings on a line of their own."""
        return self.short.replace(", ", "\n", 1)


def name_methods(labels: list[str]) -> list[Name]:
    """Names for methods by their labels, such as `ar-adals (alpha 0.3, R 10, order gradient)`.

    `vanilla + temperature` is a kind of its own, Vanilla + TS.
    """
    parsed = [_parse(label) for label in labels]
    looks = _looks([method for method, _ in parsed])
    names = []
    for label, (method, settings), (colour, marker) in zip(labels, parsed, looks, strict=True):
        kind = _kind(method)
        alike = [set(other) for its, other in parsed if its == method]
        telling = [setting for setting in settings if not all(setting in other for other in alike)]
        short = ", ".join([kind, *telling])
        names.append(Name(label, kind, ", ".join(settings), short, colour, marker))
    return names


def _parse(label: str) -> tuple[str, list[str]]:
    """The method of a label and its settings as people write them, R before the others."""
    found = re.fullmatch(r"(\S+)(?: \((.+?)\))?(?: \[(.+)\])?((?: \+ \S+)?)", label)
    if not found:
        return label, []
    method, *written, posthoc = found.groups()
    settings = [_setting(text) for part in written if part for text in part.split(", ")]
    return method + posthoc, sorted(settings, key=lambda setting: not setting.startswith("R ="))


def _kind(method: str) -> str:
    trained, plus, posthoc = method.partition(" + ")
    words = _KINDS[trained][0] if trained in _KINDS else trained
    return words + plus + (_POSTHOC[posthoc][0] if posthoc in _POSTHOC else posthoc)


def _setting(text: str) -> str:
    name, _, value = text.partition(" ")
    if name == "rescore":
        after = [f"{float(epoch):g}" for epoch in value.split()]
        return f"on the fly after {' and '.join(after)}"
    if name == "attack":
        return f"by {value}"
    if name == "order":
        return f"{value} order"
    if not value or name.isdigit():  # such as "3 members"
        return text
    return f"{_SYMBOLS.get(name, name)} = {value}"


def _looks(methods: list[str]) -> list[tuple[str, str]]:
    """Colour and marker of each: the first of a known kind has its own, others what is left."""
    looks: dict[int, tuple[str, str]] = {}
    for i, method in enumerate(methods):
        if method in _OWN and method not in methods[:i]:
            looks[i] = _OWN[method]
    free = [look for look in _LOOKS if look not in looks.values()]
    others = [i for i in range(len(methods)) if i not in looks]
    for n, i in enumerate(others):
        looks[i] = free[n % len(free)]
    return [looks[i] for i in range(len(methods))]


def set_title(name: str) -> str:
    """A set's name in words: `test-gaussian_noise-3` is Gaussian noise of intensity 3."""
    found = re.fullmatch(r"([^-]+)(?:-(.+)-(\d+))?", name)
    if not found:
        return name
    part, corruption, intensity = found.groups()
    if not corruption:
        return f"Clean {part} set"
    words = corruption_title(corruption)
    of_part = "" if part == "test" else f" ({part} set)"
    return f"{words[0].upper()}{words[1:]} of intensity {intensity}{of_part}"


def corruption_title(type: str) -> str:
    """A type of corruption in words, such as `gaussian_noise`: Gaussian noise."""
    return type.replace("_", " ").replace("jpeg", "JPEG").replace("gaussian", "Gaussian")
