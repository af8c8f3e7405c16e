# SPDX-License-Identifier: Apache-2.0
"""fit and recommend, for those who have a log and no workspace."""
from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from typing import Any, Dict, List, Mapping, Optional, Union

from ._options import NOT_HERE, describe
from ._run import Progress
from .errors import UsageError
from .opened import Id, Run
from .workspace import Matrix, Workspace

STAGES = ("prepare", "archetype", "fuse", "train")


class Recommender:
    """A recommender with the conventions of scikit-learn: parameters in the constructor, what fit learns in attributes that
    end in _.

    workspace: a directory to keep; None for one that goes with this object. method: None for "genair" where fit is given
    item vectors or model names a language model, and "base" otherwise. params: options of prepare, archetype, fuse
    and train; one that several of them have is given to each.
    """

    def __init__(self, workspace: Union[None, str, os.PathLike] = None, *, method: Optional[str] = None, run: str = "model",
                 threads: int = 0, progress: Union[None, bool, Progress] = None, **params: Any):
        self.workspace, self.method, self.run = workspace, method, run
        self.threads, self.progress = threads, progress
        for name in params:
            dashed = name.replace("_", "-")
            if name in NOT_HERE or not any(dashed in describe(stage) for stage in STAGES):
                raise TypeError(f"no stage has an option {name!r}")
        self.params: Dict[str, Any] = params

    def get_params(self, deep: bool = True) -> Dict[str, Any]:
        return {"workspace": self.workspace, "method": self.method, "run": self.run, "threads": self.threads,
                "progress": self.progress, **self.params}

    def set_params(self, **params: Any) -> "Recommender":
        self.__init__(**{**self.get_params(), **params})  # type: ignore[misc]
        return self

    def __sklearn_clone__(self) -> "Recommender":
        return type(self)(**self.get_params())

    def __repr__(self) -> str:
        given = {k: v for k, v in self.get_params().items() if v is not None and not (k == "threads" and v == 0)}
        return f"genair.Recommender({', '.join(f'{k}={v!r}' for k, v in given.items())})"

    def _options_of(self, stage: str) -> Dict[str, Any]:
        known = describe(stage)
        return {k: v for k, v in self.params.items() if k.replace("_", "-") in known}

    def fit(self, interactions: Any, items: Any = None, *, prefill: Matrix = None, decoding: Matrix = None,
            ids: Any = None, columns: Optional[Mapping[str, str]] = None) -> "Recommender":
        """Learns from a log (see Workspace.prepare) and, for method genair, item vectors (see Workspace.embed)."""
        path = self.workspace
        self._leave_directory()
        if path is None:
            path = self._own_directory()
        ws = Workspace(path, threads=self.threads, progress=self.progress)
        ws.prepare(interactions, items, columns=columns, **self._options_of("prepare"))
        given = prefill is not None or decoding is not None
        if given:
            ws.embed(prefill, decoding, ids=ids)
        elif self.params.get("model") is not None:
            ws.archetype(**self._options_of("archetype"))
        if given or self.params.get("model") is not None:
            fuse = self._options_of("fuse")
            if given and (prefill is None or decoding is None):
                fuse.setdefault("parts", "prefill" if decoding is None else "decoding")
            ws.fuse(**fuse)
        method = self.method or ("genair" if given or self.params.get("model") is not None else "base")
        self.train_result_ = ws.train(self.run, method=method, **self._train_options(method))
        self.workspace_ = ws
        return self

    def _own_directory(self) -> str:
        """One that goes with this object."""
        path = tempfile.mkdtemp(prefix="genair-")
        self._remove = weakref.finalize(self, _remove_directory, path, os.getpid())
        return path

    def _leave_directory(self) -> None:
        if hasattr(self, "_remove"):
            self._remove()
            del self._remove

    def __getstate__(self) -> dict:
        if hasattr(self, "_remove"):
            raise UsageError("a fitted recommender without a workspace cannot be pickled or copied: its directory goes with it; "
                             "genair.Recommender(\"DIRECTORY\", ...) keeps it")
        return self.__dict__

    def _train_options(self, method: str) -> Dict[str, Any]:
        options = self._options_of("train")
        own = {"llmemb": {"model", "item_noun", "attribute_characters"}, "llm-esr": {"model"}}.get(method, set())
        for name in {"model", "item_noun", "attribute_characters"} - own:  # archetype's alone
            options.pop(name, None)
        return options

    @property
    def run_(self) -> Run:
        """The trained run, open."""
        return self._fitted().open(self.run)

    def _fitted(self) -> Workspace:
        if not hasattr(self, "workspace_"):
            raise UsageError("fit comes first")
        return self.workspace_

    def recommend(self, history: Any = None, **asked: Any) -> list:
        """See Run.recommend."""
        return self.run_.recommend(history, **asked)

    def similar(self, item: Id, k: int = 10) -> List[dict]:
        """The k items nearest to one."""
        return self.run_.similar(item, k)

    def evaluate(self, **options: Any) -> dict:
        """Metrics on the held-out interactions; see Workspace.evaluate."""
        return self._fitted().evaluate(self.run, **options)


def _remove_directory(path: str, process: int) -> None:
    if os.getpid() == process:  # not a forked child that ends
        shutil.rmtree(path, ignore_errors=True)
