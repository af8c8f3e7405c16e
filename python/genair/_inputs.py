# SPDX-License-Identifier: Apache-2.0
"""Logs and metadata that are no files yet: data frames, Arrow tables, Parquet files and rows, written as files that
`prepare` reads."""
from __future__ import annotations

import datetime
import json
import math
import os
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Optional, Sequence

from .errors import FormatError, UsageError

CHUNK = 65536
# what prepare knows as user, item, time and rating; case and punctuation do not count
KNOWN = {
    "user": "userid user uid reviewerid customerid visitorid memberid".split(),
    "item": "itemid parentasin asin item iid businessid movieid productid bookid articleid gameid".split(),
    "time": "timestamp timestampms time timems ts tsms unixreviewtime unixtime date datetime eventtime createdat".split(),
    "rating": "rating ratings overall stars score".split(),
}
ROW_NAMES = ("user", "item", "time", "rating")


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def is_path(source: Any) -> bool:
    return isinstance(source, (str, os.PathLike))


def _is_parquet(source: Any) -> bool:
    try:
        with open(source, "rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False  # prepare says what is wrong


# ---- one source as blocks of columns ----

Block = Mapping[str, Sequence]


def _parquet_blocks(path: Any, columns: Optional[list[str]]) -> Iterator[Block]:
    from pyarrow import parquet

    for batch in parquet.ParquetFile(path).iter_batches(CHUNK, columns=columns):
        yield batch.to_pydict()


def _frame_blocks(frame: Any, columns: Optional[list[str]]) -> Iterator[Block]:
    kept = frame if columns is None else frame[columns]
    for begin in range(0, len(kept), CHUNK):
        part = kept.iloc[begin:begin + CHUNK]
        yield {str(name): part[name].tolist() for name in part.columns}


def _arrow_blocks(table: Any, columns: Optional[list[str]]) -> Iterator[Block]:
    for batch in (table if columns is None else table.select(columns)).to_batches(CHUNK):
        yield batch.to_pydict()


def _row_blocks(rows: Iterable) -> Iterator[Block]:
    block: list[dict] = []
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            if is_path(row) or not isinstance(row, Iterable) or not 3 <= len(tuple(row)) <= 4:
                raise UsageError(f"row {number}: a mapping, or (user, item, time) with or without a rating, is needed, "
                                 f"not {row!r:.80}")
            row = dict(zip(ROW_NAMES, row))
        block.append(row)
        if len(block) == CHUNK:
            yield _columns_of(block)
            block = []
    if block:
        yield _columns_of(block)


def _columns_of(rows: list[dict]) -> Block:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _names(source: Any) -> Optional[list[str]]:
    """The columns, where they are known before the rows."""
    if is_path(source):
        from pyarrow import parquet

        return parquet.ParquetFile(source).schema_arrow.names
    if hasattr(source, "iloc"):
        return [str(name) for name in source.columns]
    return list(source.column_names) if hasattr(source, "column_names") else None


def blocks(source: Any, columns: Optional[list[str]] = None) -> Iterator[Block]:
    """The rows of a Parquet file, a pandas frame, an Arrow table, or mappings or tuples; columns: only these."""
    if is_path(source):
        return _parquet_blocks(source, columns)
    if hasattr(source, "iloc") and hasattr(source, "columns"):
        return _frame_blocks(source, columns)
    if hasattr(source, "to_batches"):
        return _arrow_blocks(source, columns)
    if isinstance(source, Iterable):
        return _row_blocks(source)
    raise TypeError(f"a path, data frame, table or rows are needed, not {type(source).__name__}")


# ---- written ----

def find_columns(names: Iterable[str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Which column is user, item, time and rating: those chosen, else the first known name."""
    names = list(names)
    for role, name in chosen.items():
        if role not in KNOWN or name not in names:
            raise UsageError(f"columns: no column {name!r} for {role!r}; there are {', '.join(map(str, names))}")
    found = dict(chosen)
    for role, known in KNOWN.items():
        by_name = {_plain(str(name)): name for name in reversed(names)}
        if role not in found:
            found.update({role: by_name[k] for k in known[::-1] if k in by_name})
        if role not in found and role != "rating":
            raise UsageError(f"no column is known as {role}: there are {', '.join(map(str, names))}; say which with "
                             f"columns={{{role!r}: NAME}}")
    return found


def _python(value: Any) -> Any:
    """What is one value of NumPy as Python has it. Its dates become text: of nanoseconds item() makes a number."""
    if not hasattr(value, "item") or getattr(value, "shape", None) != ():
        return value
    if getattr(getattr(value, "dtype", None), "kind", "") in ("m", "M"):
        return None if str(value) == "NaT" else str(value)
    return value.item()


def is_missing(value: Any) -> bool:
    """None, NaN, NaT, NA."""
    value = _python(value)
    if value is None or type(value).__name__ in ("NaTType", "NAType"):
        return True
    return isinstance(value, float) and math.isnan(value)


def _milliseconds(value: Any) -> Any:
    """Dates as text that prepare reads exactly; numbers as they are."""
    if isinstance(value, datetime.datetime):
        at = value.replace(tzinfo=datetime.timezone.utc) if value.tzinfo is None else value
        return at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    return value


def _field(value: Any, role: str, row: int) -> str:
    value = _python(value)
    if is_missing(value):
        if role == "rating":
            return ""
        raise FormatError(f"row {row}: the {role} is missing")
    text = str(_milliseconds(value) if role == "time" else _id_text(value))
    if "\t" in text or "\n" in text or "\r" in text:
        raise FormatError(f"row {row}: the {role} {text!r:.80} holds a tab or line break")
    return text


def _id_text(value: Any) -> Any:
    """A frame turns whole numbers into floats where one is missing."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _time_is_milliseconds(name: str) -> bool:
    return _plain(name).endswith("ms")


def write_interactions(source: Any, path: Path, chosen: Mapping[str, str]) -> None:
    """A tab-separated file with a header: user, item, time and, where there is one, rating."""
    known = _names(source)
    found = find_columns(known, chosen) if known is not None else None
    number = 0
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for block in blocks(source, list(dict.fromkeys(found.values())) if found else None):
            if found is None:
                found = find_columns(block, chosen)
            if number == 0:
                time = "timestamp_ms" if _time_is_milliseconds(found["time"]) else "timestamp"
                out.write("\t".join({"user": "user_id", "item": "item_id", "time": time}.get(role, role)
                                    for role in found) + "\n")
            columns = [(role, block.get(name)) for role, name in found.items()]
            for role, column in columns:
                if column is None:
                    raise FormatError(f"rows after {number} have no column {found[role]!r}")
            for values in zip(*(column for _, column in columns)):
                number += 1
                out.write("\t".join(_field(v, role, number) for v, role in zip(values, found)) + "\n")
    if number == 0:
        raise UsageError("the interactions have no rows")


def _json_value(value: Any) -> Any:
    value = _python(value)
    if hasattr(value, "tolist"):
        return _json_value(value.tolist())
    if isinstance(value, Mapping):
        return {str(k): _json_value(v) for k, v in value.items() if not is_missing(v)}
    if isinstance(value, (list, tuple, set)):
        return [_json_value(v) for v in value if not is_missing(v)]
    if isinstance(value, (bool, int, float, str)):
        return _id_text(value)
    return str(value)


def write_items(source: Any, path: Path, id_column: Optional[str]) -> None:
    """JSON lines with every attribute; id_column is renamed to item_id."""
    n = 0
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for block in blocks(source):
            if id_column is not None and id_column not in block:
                raise UsageError(f"columns: no column {id_column!r} for 'item' in the items; there are "
                                 f"{', '.join(map(str, block))}")
            names = ["item_id" if name == id_column else str(name) for name in block]
            for values in zip(*block.values()):
                record = {k: _json_value(v) for k, v in zip(names, values) if not is_missing(v)}
                out.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
                n += 1
    if n == 0:
        raise UsageError("the items have no rows")


def write_lines(lines: Iterable[Any], path: Path) -> None:
    """One id a line."""
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for number, value in enumerate(lines, 1):
            out.write(_field(value, "id", number) + "\n")


def sources(given: Any) -> list:
    """One source, or several in a list of paths, frames and tables."""
    if isinstance(given, (list, tuple)) and given and all(
            is_path(s) or hasattr(s, "iloc") or hasattr(s, "to_batches") for s in given):
        return list(given)
    return [given]


def as_files(given: Any, directory: Path, kind: str, columns: Mapping[str, str]) -> list[str]:
    """Paths of files that prepare reads: those given, and made in the directory what is none."""
    paths = []
    for number, source in enumerate(sources(given)):
        if is_path(source) and not _is_parquet(source):
            paths.append(os.fspath(source))
        elif kind == "interactions":
            paths.append(str(directory / f"interactions{number}.tsv"))
            write_interactions(source, Path(paths[-1]), columns)
        else:
            paths.append(str(directory / f"items{number}.jsonl"))
            write_items(source, Path(paths[-1]), columns.get("item"))
    return paths
