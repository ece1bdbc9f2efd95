"""Pack JSON values and tensors into one text for a page.

The text is the base64 of a gzip file. The file holds four bytes with the length of the JSON (little-endian), the JSON,
and the tensors one after the other. In the JSON, the place of a tensor replaces it: `{"dtype", "shape", "start"}`.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import torch
from torch import Tensor

from hs_env.compute import to_array

_ALIGNED = 4
"""Each tensor starts at a multiple of this number of bytes, as views of a browser's buffer require."""


def packed(value: Any) -> str:
    """Return the text of nested dicts and lists of JSON values, float32 and int8 tensors; equal values, equal texts."""
    body = bytearray()
    header = json.dumps(_placed(value, body), ensure_ascii=False, separators=(",", ":"))
    text = header.encode("utf-8", "surrogatepass")
    text += b" " * (-(len(text) + 4) % _ALIGNED)
    return base64.b64encode(gzip.compress(len(text).to_bytes(4, "little") + text + body, 9, mtime=0)).decode()


def _placed(value: Any, body: bytearray) -> Any:
    """Append the tensors of a value to `body`, and return the value with their places."""
    if isinstance(value, dict):
        return {key: _placed(each, body) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_placed(each, body) for each in value]
    if not isinstance(value, Tensor):
        return value
    dtype = torch.int8 if value.dtype == torch.int8 else torch.float32
    body += bytes(-len(body) % _ALIGNED)
    place = {"dtype": str(dtype).removeprefix("torch."), "shape": list(value.shape), "start": len(body)}
    array = to_array(value.detach().to(dtype).contiguous())
    body += array.astype(array.dtype.newbyteorder("<")).tobytes()
    return place
