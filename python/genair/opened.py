# SPDX-License-Identifier: Apache-2.0
"""A trained run, kept open: answers without reading it again for each question."""
from __future__ import annotations

import ctypes
import json
import os
from ctypes import byref, c_void_p
from typing import TYPE_CHECKING, Any, Iterable, List, Optional, Sequence, Union

from . import _native
from ._inputs import id_text
from ._options import Options, is_list
from ._run import Context
from .errors import UsageError

if TYPE_CHECKING:
    import numpy

Id = Union[str, int]


def names(ids: Iterable[Id]) -> list[str]:
    if not is_list(ids):  # a string is a list too: of its letters
        raise TypeError(f"a list of ids is needed, not {ids!r:.80}")
    return [one if isinstance(one, str) else id_text(one) for one in ids]


class Run:
    """A finished run of a workspace. Any number of threads may ask; the interpreter's lock is released meanwhile.

    index, probe: as of `genair recommend`: "approximate" looks at the items of `probe` lists alone, for catalogues of millions.
    """

    def __init__(self, workspace: Union[str, os.PathLike], run: str, threads: int = 1, *, index: Optional[str] = None,
                 probe: Optional[int] = None):
        self.workspace, self.name = os.fspath(workspace), run
        options = Options("recommend", {"workspace": workspace, "run": run, "index": index, "probe": probe})
        context = Context(threads)
        self._handle: Optional[_native.Handle] = _native.Handle(
            "recommender_open", "recommender_free", context.pointer, options.pointer, keep=(context,))

    def close(self) -> None:
        """Lets go of the run; arrays of vectors that are still in use keep it open."""
        self._handle = None

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<genair.Run {self.name!r} of {self.workspace!r}>"

    def _open(self) -> _native.Handle:
        """To be held while the library works: it stays, whatever another thread closes."""
        handle = self._handle
        if not handle:
            raise UsageError("this run was closed")
        return handle

    def _ask(self, command: str, **values: Any) -> dict:
        options, text = Options(command, values), c_void_p()
        handle = self._open()
        _native.call("recommender_" + command, handle.pointer, options.pointer, byref(text))
        return json.loads(_native.take_text(text))

    def recommend(self, history: Union[None, Sequence[Id], Sequence[Sequence[Id]]] = None, *,
                  user: Optional[Id] = None, users: Optional[Iterable[Id]] = None, k: int = 10, explain: bool = False,
                  allow: Optional[Iterable[Id]] = None, deny: Optional[Iterable[Id]] = None) -> list:
        """The k items most likely to come next, best first: a list of {"item", "score"} and, where known, "name".

        history: item ids, oldest first; without any, popular items. A list of histories, or users: a list for each.
        explain: also "because", "likeness" and "archetype". allow, deny: only these items; never these.
        """
        given = (history is not None) + (user is not None) + (users is not None)
        if given != 1:
            raise UsageError("one of history, user and users is needed")
        rest = {"k": k, "explain": explain, "allow": None if allow is None else names(allow),
                "deny": None if deny is None else names(deny)}
        if rest["allow"] == []:
            raise UsageError("allow is empty: no item may be recommended")
        if history is None:
            asked = names(users) if users is not None else names([user])
            if not asked:
                return []
            lists = [u["items"] for u in self._ask("recommend", user=asked, **rest)["users"]]
            return lists if users is not None else lists[0]
        if isinstance(history, str) or not is_list(history):
            raise TypeError("a history is a list of item ids")
        asked_for: List[Any] = list(history)
        if asked_for and is_list(asked_for[0]):
            return [self._ask("recommend", history=h, **rest)["items"] for h in [names(h) for h in asked_for]]
        return self._ask("recommend", history=names(asked_for), **rest)["items"]

    def similar(self, item: Id, k: int = 10) -> List[dict]:
        """The k items nearest to one."""
        return self._ask("similar", item=id_text(item), k=k)["items"]

    @property
    def items(self) -> list[str]:
        """The ids of the items, in the order of the rows of item_vectors."""
        size, handle = ctypes.c_size_t(), self._open()
        return [ctypes.string_at(_native.library.recommender_item(handle.pointer, row, byref(size)), size.value).decode()
                for row in range(_native.library.recommender_items(handle.pointer))]

    def _columns(self, handle: _native.Handle) -> tuple[int, int]:
        columns = ctypes.c_size_t()
        address = _native.library.recommender_vectors(handle.pointer, byref(columns))
        if not address:
            raise UsageError(f"run {self.name!r} is of a method without vectors")
        return address, columns.value

    @property
    def item_vectors(self) -> "numpy.ndarray":
        """[items, columns] float32, read-only, the library's own memory; its product with encode() gives scores."""
        import numpy

        handle = self._open()
        address, columns = self._columns(handle)
        rows = _native.library.recommender_items(handle.pointer)
        memory = (ctypes.c_float * (rows * columns)).from_address(address)
        memory._owner = handle  # the array keeps the memory object, and so the run
        array = numpy.frombuffer(memory, dtype=numpy.float32).reshape(rows, columns)
        array.flags.writeable = False
        return array

    def encode(self, history: Optional[Sequence[Id]] = None, *, user: Optional[Id] = None) -> "numpy.ndarray":
        """The vector of a history or user, [columns] float32."""
        import numpy

        handle = self._open()
        out = numpy.empty(self._columns(handle)[1], dtype=numpy.float32)
        options = Options("recommend", {"history": None if history is None else names(history),
                                        "user": None if user is None else names([user])})
        _native.call("recommender_encode", handle.pointer, options.pointer, out.ctypes.data)
        return out
