# SPDX-License-Identifier: Apache-2.0
"""Runs a stage so that messages come out and Ctrl-C goes in."""
from __future__ import annotations

import json
import logging
import re
import sys
import threading
from ctypes import byref, c_void_p
from typing import Any, Callable, Mapping, Optional, Union

from . import _native
from ._options import Options

# called with the share done in percent, or None, and the line
Progress = Callable[[Optional[float], str], Any]
logger = logging.getLogger("genair")
PERCENT = re.compile(r" *([0-9.]+) % ")


def print_progress(percent: Optional[float], line: str) -> None:
    """One line on standard error that is written over."""
    sys.stderr.write(f"\r\x1b[K{line}" if sys.stderr.isatty() else f"{line}\n")
    sys.stderr.flush()


class Messages:
    """The library's log: progress to a function, the rest to logging.getLogger("genair")."""

    def __init__(self, progress: Union[None, bool, Progress]):
        self.progress = print_progress if progress is True else progress or None
        self.raised: Optional[BaseException] = None
        self.stop: Callable[[], None] = lambda: None
        self.function = _native.Log(self._take)  # must outlive the context

    def _take(self, user: Any, level: int, line: bytes) -> None:
        try:
            self._pass_on(level, line.decode(errors="replace"))
        except BaseException as e:  # an exception cannot pass through C: the stage stops, then it is raised
            self.raised = self.raised or e
            self.stop()

    def _pass_on(self, level: int, line: str) -> None:
        if level == _native.LOG_PROGRESS:
            if self.progress:
                found = PERCENT.match(line)
                self.progress(float(found.group(1)) if found else None, line)
        else:
            logger.log(logging.WARNING if level == _native.LOG_WARNING else logging.INFO, "%s", line)


class Context(_native.Handle):
    def __init__(self, threads: int, messages: Optional[Messages] = None):
        function = messages.function if messages else _native.Log()
        super().__init__("context_create", "context_free", threads, function, None, keep=(messages,))
        if messages:
            pointer = self.pointer
            messages.stop = lambda: _native.library.context_stop(pointer)

    def stop(self) -> None:
        """Any thread."""
        _native.library.context_stop(self.pointer)


def run_stage(command: str, values: Mapping[str, Any], threads: int = 0, progress: Union[None, bool, Progress] = None,
              started: Callable[[Context], None] = lambda context: None) -> dict:
    """The stage's result. It runs in a thread of its own, so that the caller's hears Ctrl-C: the stage is then asked to
    stop, which saves its state, and KeyboardInterrupt is raised."""
    options = Options(command, values)
    messages = Messages(progress)
    context = Context(threads, messages)
    started(context)
    text, outcome, done = c_void_p(), [], threading.Event()

    def work() -> None:
        try:
            _native.call(command.replace("-", "_"), context.pointer, options.pointer, byref(text))
        except BaseException as e:
            outcome.append(e)
        finally:
            done.set()

    threading.Thread(target=work, name=f"genair {command}", daemon=True).start()
    try:
        done.wait()
    except BaseException:
        context.stop()
        done.wait()
        if command == "serve" and not outcome:  # which is how it ends
            return json.loads(_native.take_text(text))
        _native.take_text(text)
        raise
    if messages.raised:
        raise messages.raised
    if outcome:
        raise outcome[0]
    return json.loads(_native.take_text(text))
