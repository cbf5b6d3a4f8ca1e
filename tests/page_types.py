"""Values held against the types of `page/src/payload.ts`: what is written, the page can read."""

import json
import re
from collections import deque
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "page" / "src" / "payload.ts"


class Types:
    """The types of a TypeScript source, of the few forms that payloads need, by name.

    A type is a list of alternatives: an object's fields, `(kind, type)`, or a word.
    """

    def __init__(self, source: str):
        source = re.sub(r"/\*.*?\*/|//[^\n]*", "", source, flags=re.DOTALL)
        self.tokens = deque(re.findall(r'"[^"]*"|\w+|[^\s\w]', source))
        self.named: dict[str, Any] = {}
        while self.tokens:
            self._take("export")
            kind, name = self._take("type", "interface"), self._take()
            if kind == "type":
                self._take("=")
                self.named[name] = self._alternatives()
                self._take(";")
            else:
                base = self.named[self._take()][0] if self._skip("extends") else {}
                self.named[name] = [base | self._fields()]

    def mistakes(self, value: Any, type: Any = "Payload", where: str = "") -> list[str]:
        """Where a value is not of a type: a field that is missing, unknown, or of another type."""
        if isinstance(type, list):
            every = [self.mistakes(value, one, where) for one in type]
            return [] if [] in every else max(every, key=len)
        if isinstance(type, dict) and isinstance(value, dict):
            wrong = [f"{where}.{name} is unknown" for name in value.keys() - type.keys()]
            for name, (optional, one) in type.items():
                if name in value:
                    wrong += self.mistakes(value[name], one, f"{where}.{name}")
                elif not optional:
                    wrong.append(f"{where}.{name} is missing")
            return wrong
        if isinstance(type, tuple) and isinstance(value, dict if type[0] == "record" else list):
            kind, one = type
            pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
            if kind == "tuple" and len(pairs) != len(one):
                return [f"{where} has {len(pairs)} entries"]
            ones = one if kind == "tuple" else [one] * len(pairs)
            both = zip(pairs, ones, strict=True)
            return [line for (k, v), t in both for line in self.mistakes(v, t, f"{where}[{k}]")]
        if isinstance(type, str) and type in self.named:
            return self.mistakes(value, self.named[type], where)
        match type:
            case "number":
                right = isinstance(value, int | float) and not isinstance(value, bool)
            case "string" | "boolean":
                right = isinstance(value, {"string": str, "boolean": bool}[type])
            case "null":
                right = value is None
            case _:
                right = isinstance(type, str) and value == json.loads(type)
        return [] if right else [f"{where} is {value!r:.40}"]

    def _take(self, *expected: str) -> str:
        token = self.tokens.popleft()
        assert not expected or token in expected, f"{token} instead of {expected}"
        return token

    def _skip(self, token: str) -> bool:
        return self.tokens[0] == token and bool(self._take())

    def _alternatives(self) -> list[Any]:
        every = [self._one()]
        while self._skip("|"):
            every.append(self._one())
        return every

    def _one(self) -> Any:
        if self.tokens[0] == "{":
            made: Any = self._fields()
        elif self._skip("["):
            parts = [self._alternatives()]
            while self._skip(","):
                parts.append(self._alternatives())
            self._take("]")
            made = "tuple", parts
        elif self._skip("Record"):
            for token in ("<", "string", ","):
                self._take(token)
            made = "record", self._alternatives()
            self._take(">")
        else:
            made = self._take()
        while self._skip("["):
            self._take("]")
            made = "list", [made]
        return made

    def _fields(self) -> dict[str, tuple[bool, list[Any]]]:
        self._take("{")
        fields = {}
        while not self._skip("}"):
            name, optional = self._take(), self._skip("?")
            self._take(":")
            fields[name] = optional, self._alternatives()
            self._skip(";")
        return fields


mistakes = Types(SOURCE.read_text()).mistakes
