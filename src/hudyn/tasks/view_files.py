"""The file of a run that its page reads: JSON, compressed."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

VIEW = "view.json.gz"  # in the run's folder


def as_file(view: Mapping[str, object]) -> bytes:
    """A view as the page reads it: JSON, compressed; arrays as `hudyn/page/assets/arrays.js` decodes them."""
    text = json.dumps(view, default=_encoded, allow_nan=False, ensure_ascii=False)
    return gzip.compress(text.encode(), mtime=0)


def from_file(content: bytes) -> dict[str, Any]:
    """What `as_file` wrote, with NumPy's arrays."""
    return json.loads(gzip.decompress(content), object_hook=_decoded)


def _encoded(value: object) -> object:
    """An array, a tensor or a number of NumPy as JSON."""
    array = np.asarray(value)
    if array.dtype == object:
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    if isinstance(value, np.generic):
        return value.item()
    kept = array.astype({"i": "int32", "b": "uint8"}.get(array.dtype.kind, array.dtype.name))
    data = base64.b64encode(np.ascontiguousarray(kept).tobytes()).decode()
    return {"array": kept.dtype.name, "shape": list(kept.shape), "data": data}


def _decoded(part: dict[str, Any]) -> object:
    """What `_encoded` wrote of an array."""
    if "array" not in part:
        return part
    return np.frombuffer(base64.b64decode(part["data"]), part["array"]).reshape(part["shape"])
