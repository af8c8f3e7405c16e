# SPDX-License-Identifier: Apache-2.0
"""Logs and metadata that are no files yet: data frames, Arrow tables, Parquet files and rows, written as files that
`prepare` reads."""
from __future__ import annotations

import datetime
import decimal
import json
import math
import os
import tempfile
import uuid
from typing import Any, Iterable, Iterator, Mapping, Optional, Sequence

from .errors import Error, FormatError, UsageError

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

Block = Mapping[Any, Sequence]  # by the column's name, in frames any label


def _parquet_blocks(path: Any, columns: Optional[list]) -> Iterator[Block]:
    from pyarrow import parquet

    for batch in parquet.ParquetFile(path).iter_batches(CHUNK, columns=columns):
        yield batch.to_pydict()


def _frame_blocks(frame: Any, columns: Optional[list]) -> Iterator[Block]:
    kept = frame if columns is None else frame[columns]
    for begin in range(0, len(kept), CHUNK):
        part = kept.iloc[begin:begin + CHUNK]
        yield {name: part[name].tolist() for name in part.columns}


def _arrow_blocks(table: Any, columns: Optional[list]) -> Iterator[Block]:
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


def _names(source: Any) -> Optional[list]:
    """The columns, where they are known before the rows."""
    if is_path(source):
        from pyarrow import parquet

        names = parquet.ParquetFile(source).schema_arrow.names
    elif hasattr(source, "iloc"):
        if not hasattr(source, "columns"):
            raise UsageError(f"a {type(source).__name__} is one column: a frame is needed")
        names = list(source.columns)
    elif hasattr(source, "to_batches"):
        names = list(source.column_names)
    else:
        return None
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise UsageError(f"there are two columns {twice!r}")
    return names


def blocks(source: Any, columns: Optional[list] = None) -> Iterator[Block]:
    """The rows of a Parquet file, a pandas frame, an Arrow table, or mappings or tuples; columns: only these."""
    if is_path(source):
        return _parquet_blocks(source, columns)
    if hasattr(source, "iloc"):
        return _frame_blocks(source, columns)
    if hasattr(source, "to_batches"):
        return _arrow_blocks(source, columns)
    if isinstance(source, Iterable) and not hasattr(source, "columns"):  # other frames go through their columns
        return _row_blocks(source)
    raise TypeError(f"a path, pandas frame, Arrow table or rows are needed, not {type(source).__name__}")


# ---- written ----

def _no_column(role: str, name: Any, names: Iterable) -> UsageError:
    return UsageError(f"columns: no column {name!r} for {role!r}; there are {', '.join(map(str, names))}")


def find_columns(names: Iterable, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Which column is user, item, time and rating: those chosen, else the first known name. The item's chosen name may be
    that of another table."""
    names = list(names)
    for role, name in chosen.items():
        if role not in KNOWN or (name not in names and role != "item"):
            raise _no_column(role, name, names)
    found = {role: name for role, name in chosen.items() if name in names}
    for role, known in KNOWN.items():
        by_name = {_plain(str(name)): name for name in reversed(names)}
        if role not in found:
            found.update({role: by_name[k] for k in known[::-1] if k in by_name})
        if role not in found and role in chosen:
            raise _no_column(role, chosen[role], names)
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
    return (isinstance(value, float) and math.isnan(value)) or (isinstance(value, decimal.Decimal) and value.is_nan())


def _milliseconds(value: Any) -> Any:
    """Dates as text that prepare reads exactly; numbers as they are."""
    if isinstance(value, datetime.datetime):
        at = value.replace(tzinfo=datetime.timezone.utc) if value.tzinfo is None else value
        return at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    return value


def id_text(value: Any) -> str:
    """An id as it stands in the log. A frame turns whole numbers into floats where one is missing."""
    value = _decoded(_python(value))
    if not isinstance(value, (str, int, float, decimal.Decimal, uuid.UUID)):
        raise TypeError(f"an id is text or a number, not {value!r:.80}")
    return str(_whole(value))


def _decoded(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _other_text(value: Any, role: str, row: int) -> str:
    value = _python(value)
    if is_missing(value):
        if role == "rating":
            return ""
        raise FormatError(f"row {row}: the {role} is missing")
    try:
        if role == "time":
            return str(_decoded(_milliseconds(value)))
        return str(_decoded(_whole(value))) if role == "rating" else id_text(value)
    except UnicodeDecodeError:
        raise FormatError(f"row {row}: the {role} {value!r:.80} is no UTF-8") from None
    except TypeError as e:
        raise TypeError(f"row {row}: the {role}: {e}") from None


def _field(value: Any, role: str, row: int) -> str:
    if type(value) is int:
        return str(value)
    text = value if type(value) is str else _other_text(value, role, row)
    if "\t" in text or "\n" in text or "\r" in text:
        raise FormatError(f"row {row}: the {role} {text!r:.80} holds a tab or line break")
    return text


def _time_column(name: Any) -> str:
    """The column's name in the file: it says how prepare reads numbers."""
    plain = _plain(str(name))
    return "timestamp_ms" if plain.endswith("ms") else "date" if plain in ("date", "datetime") else "timestamp"


def _write(out: Any, line: str, row: int) -> None:
    try:
        out.write(line + "\n")
    except UnicodeEncodeError as e:
        raise FormatError(f"row {row}: {line[max(e.start - 20, 0):e.end]!r} holds half a character (a lone surrogate)") from None


def write_interactions(source: Any, path: str, chosen: Mapping[str, Any]) -> bool:
    """A tab-separated file with a header: user, item, time and, where there is one, rating. Whether the column chosen for the
    item, if any, is there."""
    known = _names(source)
    found = find_columns(known, chosen) if known is not None else None
    number = 0
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for block in blocks(source, list(dict.fromkeys(found.values())) if found else None):
            if found is None:
                found = find_columns(block, chosen)
            if number == 0:
                out.write("\t".join({"user": "user_id", "item": "item_id", "time": _time_column(found["time"])}.get(role, role)
                                    for role in found) + "\n")
            columns = [(role, block.get(name)) for role, name in found.items()]
            for role, column in columns:
                if column is None:
                    raise FormatError(f"rows after {number} have no column {found[role]!r}")
            for values in zip(*(column for _, column in columns)):
                number += 1
                _write(out, "\t".join(_field(v, role, number) for v, role in zip(values, found)), number)
    if number == 0 or found is None:
        raise UsageError("there are no rows")
    return chosen.get("item") == found["item"]


def _json_value(value: Any) -> Any:
    value = _python(value)
    if hasattr(value, "tolist"):
        return _json_value(value.tolist())
    if isinstance(value, Mapping):
        return {str(k): _json_value(v) for k, v in value.items() if not is_missing(v)}
    if isinstance(value, (list, tuple, set)):
        return [_json_value(v) for v in value if not is_missing(v)]
    if isinstance(value, (bool, int, float, str)):
        return _whole(value)
    return str(_decoded(value))


def _item_columns(block: Block, id_column: Any) -> dict[str, Sequence]:
    """Under the names that they have in the file: id_column, where it is there, is the one item_id."""
    if id_column not in block:
        return {str(name): values for name, values in block.items()}
    return {"item_id" if name == id_column else str(name): values for name, values in block.items()
            if name == id_column or _plain(str(name)) != "itemid"}


def write_items(source: Any, path: str, id_column: Any) -> bool:
    """JSON lines with every attribute; id_column is renamed to item_id. Whether it is there."""
    _names(source)  # may refuse
    number, named = 0, False
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for block in blocks(source):
            columns = _item_columns(block, id_column)
            named = named or id_column in block
            for values in zip(*columns.values()):
                number += 1
                try:
                    record = {k: _json_value(v) for k, v in zip(columns, values) if not is_missing(v)}
                    line = json.dumps(record, ensure_ascii=False, allow_nan=False)
                except UnicodeDecodeError:
                    raise FormatError(f"row {number}: bytes that are no UTF-8") from None
                except ValueError:
                    raise FormatError(f"row {number}: a number is infinite") from None
                _write(out, line, number)
    if number == 0:
        raise UsageError("there are no rows")
    return named


def write_lines(lines: Iterable[Any], path: str) -> None:
    """One id a line."""
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for number, value in enumerate(lines, 1):
            _write(out, _field(value, "id", number), number)


def sources(given: Any) -> list:
    """One source, or several in a list of paths, frames and tables."""
    if isinstance(given, (list, tuple)) and given and all(
            is_path(s) or hasattr(s, "iloc") or hasattr(s, "to_batches") for s in given):
        return list(given)
    return [given]


class Files:
    """Paths for the library: those given, and made in a directory that goes with the block what is none. What is wrong in a
    made file is told of the rows that it was made from. columns: as of Workspace.prepare."""

    def __init__(self, columns: Optional[Mapping[str, Any]] = None):
        self._columns = columns or {}
        self._item_found = False
        self._made: dict[str, tuple[str, int]] = {}  # path: what it was made from, lines before the first row

    def __enter__(self) -> "Files":
        self._directory = tempfile.TemporaryDirectory(prefix="genair-")
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        self._directory.cleanup()
        if isinstance(error, Error) and error.file in self._made:
            name, before = self._made[error.file]
            row = f"row {error.line - before}: " if error.line is not None and error.line > before else ""
            raise type(error)(f"{name}: {row}" + error.message.replace("--on-bad-line=skip", 'on_bad_line="skip"')) from None

    def _make(self, name: str, file: str, header: int, write: Any, *arguments: Any) -> str:
        path = os.path.join(self._directory.name, file)
        self._made[path] = (name, header)
        try:
            self._item_found |= bool(write(arguments[0], path, *arguments[1:]))
        except Error as e:
            raise type(e)(f"{name}: {e.message}") from None
        return path

    def tables(self, given: Any, kind: str) -> list[str]:
        """kind: "interactions" or "items"."""
        paths, several = [], sources(given)
        for number, source in enumerate(several):
            name = f"{kind}[{number}]" if len(several) > 1 else kind
            if is_path(source) and not _is_parquet(source):
                paths.append(os.fspath(source))
            elif kind == "interactions":
                paths.append(self._make(name, f"{kind}{number}.tsv", 1, write_interactions, source, self._columns))
            else:
                paths.append(self._make(name, f"{kind}{number}.jsonl", 0, write_items, source, self._columns.get("item")))
        return paths

    def lines(self, given: Iterable[Any], name: str) -> str:
        return self._make(name, f"{name}.txt", 0, write_lines, given)

    def item_ids(self, tables: list[str]) -> list[str]:
        """The items in made tables, row by row; none where one was not made here."""
        ids: list[str] = []
        for table in tables if all(table in self._made for table in tables) else []:
            with open(table, encoding="utf-8") as records:
                for line in records:
                    keys = {_plain(key): value for key, value in json.loads(line).items()}
                    ids.append(str(next((keys[key] for key in [*KNOWN["item"], "id"] if key in keys), "")))
        return ids

    def check_columns(self) -> None:
        """When all are made: the item's column must be in one of them."""
        if self._columns and not self._made:
            raise UsageError("columns: a text file's columns are found by their names; read it into a frame to choose others")
        if "item" in self._columns and not self._item_found:
            raise UsageError(f"columns: no column {self._columns['item']!r} for 'item'")
