"""Columns of a page's payload, read as the page reads them."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from page_types import mistakes


def numbers(column: Any) -> Any:
    dtype = "uint16" if column["dtype"] == "share" else column["dtype"]
    stored = np.frombuffer(base64.b64decode(column["data"]), np.dtype(dtype).newbyteorder("<"))
    values = stored.reshape(column["shape"])
    return values / 65535 if column["dtype"] == "share" else values


def payload_of(path: Path | str) -> Any:
    """What a page draws, which is of the page's types."""
    text = Path(path).read_text(encoding="utf-8")
    script = re.search(r'<script id="payload" type="application/json">(.*?)</script>', text, re.S)
    assert script is not None
    payload = json.loads(script[1])
    assert mistakes(payload) == []
    return payload
