# SPDX-License-Identifier: Apache-2.0
"""Python values as options of a command."""
from __future__ import annotations

import functools
import json
import os
from ctypes import byref, c_void_p
from typing import Any, Iterable, Mapping, Union

from . import _native
from .errors import UsageError

Value = Union[None, bool, int, float, str, os.PathLike, Iterable, Mapping]
NOT_HERE = ("workspace", "json", "quiet", "help", "config")


@functools.lru_cache(maxsize=None)
def describe(command: str) -> dict[str, dict]:
    """The options of a command by their names: type, help, default, bounds, choices."""
    text = c_void_p()
    _native.call("options_describe", command.encode(), byref(text))
    return {row["name"]: row for row in json.loads(_native.take_text(text))}


def text_of(value: Any) -> str:
    """One value as the command line has it."""
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return "yes" if value else "no"
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, str):
        return value
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()  # NumPy's numbers
    if isinstance(value, (int, float)):
        return repr(value)
    raise TypeError(f"a number, text or path is needed, not {type(value).__name__}")


def is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping, os.PathLike))


def _bytes_of(value: Any) -> bytes:
    text = os.fsencode(text_of(value))
    if b"\0" in text:
        raise UsageError(f"a zero byte in {value!r}")
    return text


def _grid(value: Mapping) -> list[str]:
    return [f"{name.replace('_', '-')}=" + ",".join(text_of(v) for v in (values if is_list(values) else [values]))
            for name, values in value.items()]


class Options(_native.Handle):
    """Options of one command; names with _ or -. None is left out, lists go to options that take lists."""

    def __init__(self, command: str, values: Mapping[str, Any]):
        super().__init__("options_create", "options_free", command.encode())
        self._borrowed: list = []
        known = describe(command)
        for name, value in values.items():
            if value is not None:
                self._set(known, name.replace("_", "-"), value)

    def _set(self, known: dict[str, dict], name: str, value: Any) -> None:
        row = known.get(name, {})
        if row.get("matrix") and hasattr(value, "__array_interface__"):
            self._set_matrix(name, value)
            return
        if isinstance(value, Mapping):
            value = _grid(value)
        if is_list(value) and row and row["type"] != "list":
            raise TypeError(f"{name} takes one value, not {type(value).__name__}")
        for one in value if is_list(value) else [value]:
            _native.call("options_set", self.pointer, name.encode(), _bytes_of(one))

    def _set_matrix(self, name: str, value: Any) -> None:
        import numpy

        kind = value.dtype.newbyteorder("=").name
        if value.ndim != 2 or kind not in _native.MATRIX_TYPES:
            raise TypeError(f"{name} must have two dimensions and type float16, float32 or float64, not "
                            f"{value.ndim} and {value.dtype}")
        matrix = numpy.ascontiguousarray(value, dtype=kind)  # itself, unless its rows do not lie one after the other
        self._borrowed.append(matrix)
        _native.call("options_set_matrix", self.pointer, name.encode(), matrix.ctypes.data, _native.MATRIX_TYPES[kind],
                     *matrix.shape)
