"""Columns of a page's payload, read as the page reads them."""

import base64

import numpy as np


def numbers(column):
    dtype = "uint16" if column["dtype"] == "share" else column["dtype"]
    stored = np.frombuffer(base64.b64decode(column["data"]), np.dtype(dtype).newbyteorder("<"))
    values = stored.reshape(column["shape"])
    return values / 65535 if column["dtype"] == "share" else values
