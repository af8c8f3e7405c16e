# SPDX-License-Identifier: Apache-2.0
"""GenAIR: from a catalogue and a click log to a recommender that knows who each item is for.

    import genair
    ws = genair.Workspace("ws")
    ws.prepare("clicks.tsv", "items.jsonl")
    ws.train("g1", method="base", backbone="sasrec")
    ws.recommend(["i5", "i9"], k=10)
"""
from ._native import version as __version__
from ._options import describe as options
from .errors import (Error, FormatError, InternalError, Interrupted, OutOfMemoryError, StorageError, UsageError)
from .estimator import Recommender
from .opened import Run
from .workspace import Workspace

__all__ = ["Error", "FormatError", "InternalError", "Interrupted", "OutOfMemoryError", "Recommender", "Run",
           "StorageError", "UsageError", "Workspace", "options", "__version__"]
