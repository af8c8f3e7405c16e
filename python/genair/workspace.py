# SPDX-License-Identifier: Apache-2.0
"""The commands as methods of a workspace."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, List, Mapping, Optional, Sequence, Union

from ._inputs import Files, id_text, is_path
from ._options import NOT_HERE, Value, is_list
from ._run import Context, Progress, run_stage
from .errors import UsageError
from .opened import Id, Run, names

if TYPE_CHECKING:
    import numpy

Matrix = Union["numpy.ndarray", str, os.PathLike, Any]


class Workspace:
    """A directory with everything made from one data set. Each command of `genair` is a method of the same name; its
    options are keyword arguments (`user_core=5` is `--user-core 5`) and its result is the dictionary of `--json`.

    threads: 0 for all processors; results do not depend on it. progress: True for a line on standard error, or
    a function that takes the share done in percent (or None) and the line. Other messages go to
    logging.getLogger("genair"). One stage at a time; stop() may be called from any thread.
    """

    def __init__(self, path: Union[str, os.PathLike], *, threads: int = 0, seed: Optional[int] = None,
                 progress: Union[None, bool, Progress] = None):
        self.path = Path(path)
        self.threads, self.seed, self.progress = threads, seed, progress
        self._running: Optional[Context] = None
        self._opened: dict = {}
        self._asked: Optional[str] = None  # the run that train was called for last

    def __repr__(self) -> str:
        return f"genair.Workspace({str(self.path)!r})"

    def __fspath__(self) -> str:
        return str(self.path)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_running": None, "_opened": {}}  # handles are this process's

    def stop(self) -> None:
        """Asks the running stage to save its state; its call then raises genair.Interrupted."""
        running = self._running
        if running:
            running.stop()

    def _stage(self, command: str, options: Mapping[str, Any]) -> dict:
        for name in options:
            if name in NOT_HERE:
                raise TypeError(f"{name} is not an option here")
        values = {"workspace": self.path, "threads": self.threads, "seed": self.seed, **options}
        try:
            return run_stage(command, values, int(values["threads"] or 0), self.progress,
                             lambda context: setattr(self, "_running", context))
        finally:
            self._running = None

    # ---- data ----

    def prepare(self, interactions: Any, items: Any = None, *, columns: Optional[Mapping[str, str]] = None,
                **options: Value) -> dict:
        """Turns a click log and item metadata into the workspace.

        interactions, items: a path (any format of `genair prepare`, or Parquet), a pandas frame, an Arrow table, or rows:
        mappings, or (user, item, time) with or without a rating. Several paths, frames or tables in a list.
        columns: {"user": NAME, "item": NAME, "time": NAME, "rating": NAME} where the names are no usual ones; the item's
        may be that of the interactions, of the items or of both.
        """
        with Files(columns) as files:
            given = {"interactions": files.tables(interactions, "interactions")}
            if items is not None:
                given["items"] = files.tables(items, "items")
            files.check_columns()
            return self._stage("prepare", {**given, **options})

    def archetype(self, model: Union[None, str, os.PathLike] = None, **options: Value) -> dict:
        """Has a language model write, item by item, who it is for."""
        return self._stage("archetype", {"model": model, **options})

    def embed(self, prefill: Matrix = None, decoding: Matrix = None, *, ids: Any = None,
              **options: Value) -> dict:
        """Takes item vectors into the workspace: arrays [items, columns] (not copied if their rows lie one after the other),
        frames whose index is the item ids, or .npy files. ids: the item of each row, a list or a file."""
        with Files() as files:
            prefill, prefill_ids = _matrix(prefill)
            decoding, decoding_ids = _matrix(decoding)
            if ids is None:
                ids = prefill_ids if prefill_ids is not None else decoding_ids
            for other in (prefill_ids, decoding_ids):
                if other is not None and is_list(ids) and list(other) != list(ids):
                    raise UsageError("row r of both matrices and of ids must be the same item")
            if ids is not None and not is_path(ids):
                ids = files.lines(ids, "ids")
            return self._stage("embed", {"prefill": prefill, "decoding": decoding, "ids": ids, **options})

    def fuse(self, **options: Value) -> dict:
        """Reduces the item vectors by principal components and joins them into one matrix."""
        return self._stage("fuse", options)

    def fused(self, name: Optional[str] = None) -> "numpy.ndarray":
        """The matrix of fuse, [items, columns] float32, mapped and read-only. name: that of fuse(out=name)."""
        import numpy

        return numpy.load(self.path / (f"fused-{name}.npy" if name else "fused.npy"), mmap_mode="r")

    # ---- models ----

    def train(self, run: str = "model", **options: Value) -> "Trained":
        """Trains one model and keeps its best epoch. The result can be asked: ws.train(backbone="sasrec").recommend(["i5"])."""
        result = self._stage("train", {"run": run, **options})
        self._asked = run
        return Trained(self, run, result)

    def evaluate(self, run: Union[str, Sequence[str]], **options: Value) -> dict:
        """Measures runs on held-out interactions."""
        return self._stage("evaluate", {"run": run, **options})

    def compare(self, *runs: str, **options: Value) -> dict:
        """Compares runs user by user with paired tests."""
        return self._stage("compare", {"run": runs, **options})

    def sweep(self, grid: Union[Mapping[str, Sequence], Sequence[str]], **options: Value) -> dict:
        """Trains every combination: {"alpha": [1e-4, 1e-3], "gamma": [0, 4]}."""
        return self._stage("sweep", {"grid": grid, **options})

    def reproduce(self, target: str, **options: Value) -> dict:
        """Makes a table or figure of the paper."""
        return self._stage("reproduce", {"target": target, **options})

    def export(self, what: str, **options: Value) -> dict:
        """Writes ranks, lists and item vectors of a run, or the data, for other programs."""
        return self._stage("export", {"what": what, **options})

    def analyze(self, **options: Value) -> dict:
        """Draws maps of the item vectors, and what runs have learned by popularity."""
        return self._stage("analyze", options)

    def report(self, **options: Value) -> dict:
        """Writes one HTML page of the workspace."""
        return self._stage("report", options)

    def inspect(self, path: Union[None, str, os.PathLike] = None, **options: Value) -> dict:
        """Says what is in the workspace, an array file or a language model."""
        return self._stage("inspect", {"path": self.path if path is None else path, **options})

    def bench(self, what: str, **options: Value) -> dict:
        """Measures speed beside the machine's own peak."""
        return self._stage("bench", {"what": what, **options})

    def doctor(self, **options: Value) -> dict:
        """Says what this machine offers, what of it is used, and what is missing."""
        return self._stage("doctor", options)

    def serve(self, run: str, **options: Value) -> dict:
        """Answers requests over HTTP until Ctrl-C or stop()."""
        return self._stage("serve", {"run": run, **options})

    # ---- new items ----

    def add_items(self, items: Any, run: Optional[str] = None, *, model: Union[None, str, os.PathLike] = None,
                  prefill: Matrix = None, decoding: Matrix = None, columns: Optional[Mapping[str, str]] = None,
                  **options: Value) -> dict:
        """Takes new items into the workspace: a run of method genair recommends them from then on without being trained again.

        items: as for prepare. model: the language model that describes them; or prefill and decoding: a row for each
        item, in their order, or frames whose index is the item ids. run: the one that must be able to have them, None as
        in open.
        """
        with Files(columns) as files:
            tables = files.tables(items, "items")
            files.check_columns()
            return self._stage("add-items", {"items": tables, "run": run or self._default_run(), "model": model,
                                             "prefill": _in_order(prefill, files, tables),
                                             "decoding": _in_order(decoding, files, tables), **options})

    def remove_items(self, items: Iterable[Id], **options: Value) -> dict:
        """Takes added items out again: all of them, or none when one was not added."""
        removed = names(items)
        return self._stage("add-items", {"remove": removed, **options}) if removed else {"removed": 0}

    # ---- recommendations ----

    def runs(self) -> List[str]:
        """The finished runs, the one trained last at the end."""
        try:
            stages = json.loads((self.path / "manifest.json").read_text()).get("stages", {})
        except FileNotFoundError:
            return []
        finished = [stage.split("/", 1)[1] for stage in stages if stage.startswith("train/")]
        return sorted(finished, key=lambda name: (self.path / "runs" / name / "config.json").stat().st_mtime_ns)

    def _default_run(self) -> str:
        finished = self.runs()
        if not finished:
            raise UsageError(f"no finished run in {self.path}; train makes one")
        return self._asked if self._asked in finished else finished[-1]

    def open(self, run: Optional[str] = None) -> Run:
        """A finished run, kept open until something in the workspace is made anew. None: the one that train was called for last on
        this object, or else the one trained last."""
        run = run or self._default_run()
        state = [(file.stat().st_ino, file.stat().st_mtime_ns) if file.exists() else None
                 for file in (self.path / "manifest.json", self.path / "added.sqlite")]
        kept = self._opened.get(run)
        if not kept or kept[0] != state:
            kept = self._opened[run] = (state, Run(self.path, run))
        return kept[1]

    def recommend(self, history: Union[None, Sequence[Id], Sequence[Sequence[Id]]] = None, *, run: Optional[str] = None,
                  **asked: Any) -> list:
        """Items for a history, several histories, a user or users; see Run.recommend. run: None as in open."""
        return self.open(run).recommend(history, **asked)

    def similar(self, item: Id, k: int = 10, *, run: Optional[str] = None) -> List[dict]:
        """The k items nearest to one."""
        return self.open(run).similar(item, k)


class Trained(dict):
    """The result of train, and the run that it is of."""

    def __init__(self, workspace: Workspace, run: str, result: Mapping):
        super().__init__(result)
        self._workspace, self._run = workspace, run

    def recommend(self, history: Union[None, Sequence[Id], Sequence[Sequence[Id]]] = None, **asked: Any) -> list:
        """As Run.recommend."""
        return self._workspace.recommend(history, run=self._run, **asked)

    def similar(self, item: Id, k: int = 10) -> List[dict]:
        """The k items nearest to one."""
        return self._workspace.similar(item, k, run=self._run)


def _matrix(given: Any) -> tuple[Any, Optional[list]]:
    """A path or array, and the ids of its rows where it is a frame."""
    if given is None or is_path(given) or hasattr(given, "__array_interface__"):
        return given, None
    if hasattr(given, "iloc") and hasattr(given, "to_numpy"):
        return given.to_numpy(dtype="float32"), given.index.tolist()
    import numpy

    return numpy.asarray(given, dtype=numpy.float32), None


def _in_order(given: Any, files: Files, tables: List[str]) -> Any:
    """A matrix for the items in the tables: of a frame, the rows as its index says."""
    matrix, index = _matrix(given)
    if index is None:
        return matrix
    wanted = files.item_ids(tables)
    row_of = {id_text(one): row for row, one in enumerate(index)}
    if len(index) == len(wanted) and row_of.keys() == set(wanted):
        return matrix[[row_of[one] for one in wanted]]
    if index == list(range(len(index))):
        return matrix
    raise UsageError("a frame's index must be the ids of the new items, each once (which are known of items in a frame, table or "
                     "rows), or pandas' own from 0 on for vectors in the order of the items")
