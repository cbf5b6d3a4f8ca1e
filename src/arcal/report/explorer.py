"""The interactive page: an audit's findings in one HTML file.

The page itself is built from `page/` (TypeScript; `make page`) into `explorer.html` beside this
file; nobody needs Node to install or run arcal. It draws the `Payload` of `page/src/payload.ts`:
findings as JSON values, and the results on each input as columns of numbers.
"""

import base64
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from arcal.errors import ArcalError
from arcal.files import check_replaceable, write_whole
from arcal.report.numbers import plain

Dtype = Literal["int8", "int16", "int32", "float32", "float64", "uint16", "share"]


def column(values: Any, dtype: Dtype) -> dict[str, Any]:
    """Numbers `(N,)` or `(N, k)`, an array or a tensor on the CPU, as the page reads them.

    "share" is for probabilities for which a precision of 1/65535 is enough. Integers that do not
    fit the type raise `ArcalError`.

    >>> column([1, -1], "int16")
    {'dtype': 'int16', 'shape': [2], 'data': 'AQD//w=='}
    """
    array = np.asarray(values)
    if dtype == "share":
        stored = np.rint(np.clip(array.astype(np.float64), 0, 1) * 65535).astype("<u2")
    else:
        stored = array.astype(np.dtype(dtype).newbyteorder("<"))
        if stored.dtype.kind in "iu" and not np.array_equal(stored, array):
            raise ArcalError(f"{dtype} does not hold all of the values, which go to {array.max()}")
    data = base64.b64encode(np.ascontiguousarray(stored).tobytes()).decode()
    return {"dtype": dtype, "shape": list(stored.shape), "data": data}


def write_explorer(path: Path | str, payload: Mapping[str, Any]) -> Path:
    """Write the page of a `Payload`; returns its path.

    It is one file that fetches nothing. Users' names and texts are escaped, and the page's policy
    runs no script but the one it was built with. The same payload gives the same bytes.
    """
    page = Path(__file__).with_name("explorer.html").read_text(encoding="utf-8")
    head, title, rest = _split(page, "<title>arcal audit</title>")
    before, _, after = _split(rest, '<script id="payload" type="application/json">null</script>')
    title = f"<title>{html.escape(str(payload['title']))}</title>"
    data = f'<script id="payload" type="application/json">{_json(payload)}</script>'
    text = head + title + before + data + after
    path = Path(path)
    check_replaceable(path)
    whole = text.encode("utf-8", "replace")  # a name may have lone surrogates
    write_whole(path, lambda temporary: temporary.write_bytes(whole))
    return path


def _split(page: str, place: str) -> tuple[str, str, str]:
    head, middle, rest = page.partition(place)
    if not middle:
        raise ArcalError(f"explorer.html has no {place}: rebuild it with `make page`")
    return head, middle, rest


_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029\x7f"}


def _json(payload: Any) -> str:
    """JSON that cannot end a script element or start a comment, whatever it holds."""
    text = json.dumps(plain(payload), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPES)
