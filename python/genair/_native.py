# SPDX-License-Identifier: Apache-2.0
"""The prototypes of genair.h. Of its structures only genair_status is mirrored, and its size is checked."""
from __future__ import annotations

import ctypes
import os
from ctypes import CFUNCTYPE, POINTER, byref, c_char, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any, Optional

from .errors import BY_CODE, InternalError

STAGES = ("prepare", "archetype", "embed", "fuse", "train", "evaluate", "compare", "recommend", "similar",
          "add_items", "sweep", "reproduce", "export", "analyze", "report", "serve", "inspect", "bench", "doctor")
LOG_PROGRESS, LOG_INFO, LOG_WARNING = range(3)
MATRIX_TYPES = {"float16": 0, "float32": 1, "float64": 2}


class Status(ctypes.Structure):
    _fields_ = [("code", c_int), ("line", c_int64), ("offset", c_int64), ("file", c_char * 512),
                ("message", c_char * 1024)]


Log = CFUNCTYPE(None, c_void_p, c_int, c_char_p)
handle, handle_out, text_out, status = c_void_p, POINTER(c_void_p), POINTER(c_void_p), POINTER(Status)
stage = (c_int, (handle, handle, text_out, status))

# name: (result, arguments)
PROTOTYPES: dict[str, tuple[Any, tuple]] = {
    "version": (c_char_p, ()),
    "status_size": (c_size_t, ()),
    "string_free": (None, (c_void_p,)),
    "context_create": (c_int, (c_int, Log, c_void_p, handle_out, status)),
    "context_free": (None, (handle,)),
    "context_stop": (None, (handle,)),
    "options_create": (c_int, (c_char_p, handle_out, status)),
    "options_set": (c_int, (handle, c_char_p, c_char_p, status)),
    "options_set_matrix": (c_int, (handle, c_char_p, c_void_p, c_int, c_size_t, c_size_t, status)),
    "options_free": (None, (handle,)),
    "options_describe": (c_int, (c_char_p, text_out, status)),
    "recommender_open": (c_int, (handle, handle, handle_out, status)),
    "recommender_free": (None, (handle,)),
    "recommender_recommend": stage,
    "recommender_similar": stage,
    "recommender_items": (c_size_t, (handle,)),
    "recommender_item": (c_void_p, (handle, c_size_t, POINTER(c_size_t))),
    "recommender_vectors": (c_void_p, (handle, POINTER(c_size_t))),
    "recommender_encode": (c_int, (handle, handle, c_void_p, status)),
    **{name: stage for name in STAGES},
}


def find_library() -> str:
    """GENAIR_LIBRARY, the one in this package, or the one that the system's loader finds."""
    named = os.environ.get("GENAIR_LIBRARY")
    if named:
        return named
    beside = Path(__file__).parent / "libgenair.so"
    return str(beside) if beside.exists() else "libgenair.so.0"


class Library:
    """The functions as attributes, without the prefix genair_."""

    status_size: Any

    def __init__(self, path: str):
        self.path = path
        try:
            loaded = ctypes.CDLL(path)
            for name, (result, arguments) in PROTOTYPES.items():
                function = getattr(loaded, "genair_" + name)
                function.restype, function.argtypes = result, arguments
                setattr(self, name, function)
        except (OSError, AttributeError) as e:
            raise ImportError(f"{path} is not the library that this package needs: {e}; GENAIR_LIBRARY can name "
                              "another") from None
        if self.status_size() != ctypes.sizeof(Status):
            raise ImportError(f"{path} is of another version: its status has {self.status_size()} bytes, expected "
                              f"{ctypes.sizeof(Status)}")


library: Any = Library(find_library())
version: str = library.version().decode()


def check(code: int, st: Status) -> None:
    """Raises the exception of a status code that is not GENAIR_OK."""
    if code == 0:
        return
    place = st.file.decode(errors="replace") or None
    raise BY_CODE.get(code, InternalError)(
        st.message.decode(errors="replace") or f"status code {code}", place, st.line if place and st.line > 0 else None,
        st.offset if place and st.line <= 0 and st.offset >= 0 else None)


def call(name: str, *arguments: Any) -> None:
    """A function whose last argument is a status."""
    st = Status()
    check(getattr(library, name)(*arguments, byref(st)), st)


def take_text(pointer: c_void_p) -> str:
    """A string of the library, which is released."""
    try:
        return ctypes.string_at(pointer.value).decode() if pointer.value else ""
    finally:
        library.string_free(pointer)


class Handle:
    """Something that the library made and releases, when nothing refers to it any more."""

    def __init__(self, make: str, release: str, *arguments: Any, keep: Optional[tuple] = None):
        self._release = getattr(library, release)
        self._keep = keep  # what the library borrows
        self.pointer = c_void_p()
        call(make, *arguments, byref(self.pointer))

    def __del__(self) -> None:
        if getattr(self, "pointer", None):
            self._release(self.pointer)
            self.pointer = c_void_p()
