# SPDX-License-Identifier: Apache-2.0
"""Exceptions, one for each status code of the library."""
from __future__ import annotations

from typing import Optional


class Error(Exception):
    """What the library refused or could not do.

    code: the status code's number. file, line, offset: where, or None.
    """

    code = 0

    def __init__(self, message: str, file: Optional[str] = None, line: Optional[int] = None,
                 offset: Optional[int] = None):
        super().__init__(message)
        self.message, self.file, self.line, self.offset = message, file, line, offset

    def __str__(self) -> str:
        place = self.file or ""
        if place and self.line is not None:
            place += f":{self.line}"
        elif place and self.offset is not None:
            place += f": byte {self.offset}"
        return f"{place}: {self.message}" if place else self.message


class UsageError(Error, ValueError):
    """An option, id or call that cannot be: the caller mends it."""

    code = 1


class StorageError(Error, OSError):
    """The operating system refused: disk, permission, lock."""

    code = 2


class FormatError(Error, ValueError):
    """A file's content is wrong."""

    code = 3


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed."""

    code = 4


class Interrupted(Error):
    """The stage was asked to stop; its state is saved, and the same call goes on from there."""

    code = 5


class InternalError(Error, RuntimeError):
    """A defect of the library."""

    code = 6


BY_CODE = {e.code: e for e in (UsageError, StorageError, FormatError, OutOfMemoryError, Interrupted, InternalError)}
