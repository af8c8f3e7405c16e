# SPDX-License-Identifier: Apache-2.0
"""Frames, Parquet and rows become the workspace that the same rows in a file become."""
import csv
import datetime
import decimal
import json

import genair
import shop
from shop import needs_numpy, needs_pandas, needs_pyarrow, numpy, pandas, pyarrow

FILES = ("sequences.bin", "ids.bin", "items.jsonl")


class Inputs(shop.ShopCase):
    def setUp(self):
        with open(self.log, newline="") as log:
            self.rows = list(csv.DictReader(log, delimiter="\t", quoting=csv.QUOTE_NONE))
        self.number = 0

    def expect_same(self, interactions, items=None, **options):
        self.number += 1
        made = genair.Workspace(self.scratch / f"{self._testMethodName}{self.number}", threads=1)
        made.prepare(interactions, self.metadata if items is None else items, **options)
        for file in FILES:
            self.assertEqual(self.content(made.path / file), self.content(self.ws.path / file), file)

    @staticmethod
    def content(path):
        """Without the hash of what it was made from, at the end of a .bin, and the hash over it (docs/formats.md)."""
        data = path.read_bytes()
        return data[:-72] if path.suffix == ".bin" else data

    def test_rows(self):
        self.expect_same(self.rows)
        user, item, time = list(self.rows[0])[:3]
        self.expect_same([(r[user], r[item], int(r[time])) for r in self.rows])
        self.expect_same(({"who": r[user], "what": r[item], "when": r[time]} for r in self.rows),
                         columns={"user": "who", "item": "what", "time": "when"})

    @needs_pandas
    def test_pandas(self):
        frame = pandas.read_csv(self.log, sep="\t", dtype={list(self.rows[0])[0]: str, list(self.rows[0])[1]: str})
        items = pandas.read_json(self.metadata, lines=True, dtype=False, convert_dates=False)
        self.expect_same(frame, items)
        time = list(self.rows[0])[2]
        unit = "ms" if float(self.rows[0][time]) > 1e11 else "s"
        self.expect_same(frame.assign(**{time: pandas.to_datetime(frame[time], unit=unit)}))
        half = len(frame) // 2
        self.expect_same([frame[:half], frame[half:]])

    @needs_pyarrow
    def test_arrow_and_parquet(self):
        columns = {name: [r[name] for r in self.rows] for name in self.rows[0]}
        time = list(self.rows[0])[2]
        columns[time] = [int(t) for t in columns[time]]
        table = pyarrow.table(columns)
        self.expect_same(table)
        path = self.scratch / "log.parquet"
        pyarrow.parquet.write_table(table, path)
        self.expect_same(path)

    def test_what_is_refused(self):
        ws = genair.Workspace(self.scratch / "refused", threads=1)
        for rows, message in (
                ([], "no rows"), ([("u", "i")], "row 1"), (["abc"], "abc"), ([{"user": "u", "item": "i"}], "known as time"),
                ([("u", None, 1)], "row 1: the item is missing"), ([("u", "i", float("nan"))], "the time is missing"),
                ([("u\tx", "i", 1)], "tab or line break"), ([{"user": "u", "item": "i", "time": 1}, {"user": "u"}], "missing")):
            with self.assertRaisesRegex((genair.Error, TypeError), message, msg=str(rows)):
                ws.prepare(rows if rows != ["abc"] else iter(rows))
        with self.assertRaisesRegex(genair.UsageError, "no column 'who'"):
            ws.prepare(self.rows, columns={"user": "who"})
        with self.assertRaises(TypeError):
            ws.prepare(5)
        self.assertFalse((self.scratch / "refused" / "manifest.json").exists())

    def test_the_items_column_is_looked_for_in_both(self):
        user, item, time = list(self.rows[0])[:3]
        rows = [(r[user], r[item], int(r[time])) for r in self.rows]
        records = [json.loads(line) for line in self.metadata.read_text().splitlines()]
        named = [{"item_id": f"x{n}", "sku": r["item_id"], **{k: v for k, v in r.items() if k != "item_id"}}
                 for n, r in enumerate(records)]
        self.expect_same(rows, named, columns={"item": "sku"})
        self.expect_same([{"user": u, "sku": i, "time": t} for u, i, t in rows], records, columns={"item": "sku"})
        with self.assertRaisesRegex(genair.UsageError, "no column 'skuu' for 'item'"):
            self.expect_same(rows, named, columns={"item": "skuu"})
        with self.assertRaisesRegex(genair.UsageError, "text file's columns"):
            self.expect_same(self.log, columns={"item": "item_id"})

    def test_bytes_are_text(self):
        user, item, time = list(self.rows[0])[:3]
        self.expect_same([(r[user].encode(), r[item].encode(), int(r[time])) for r in self.rows])

    def test_numbers_that_look_like_dates(self):
        ws = genair.Workspace(self.scratch / "dates", threads=1)
        with self.assertRaisesRegex(genair.FormatError, "interactions: row 1: .*20210601") as e:
            ws.prepare([{"user": r[list(r)[0]], "item": r[list(r)[1]], "date": 20210601} for r in self.rows])
        self.assertIsNone(e.exception.file)
        self.assertIn('on_bad_line="skip"', str(e.exception))

    @needs_pandas
    def test_faults_of_frames_name_frame_and_row(self):
        frame = pandas.DataFrame({"user": ["u1", "u2"] * 4, "item": list("iijjkkll"), "time": range(8)})
        ws = genair.Workspace(self.scratch / "faults", threads=1)
        items = pandas.DataFrame({"item": ["i", "j"], "price": [1.5, 2.5]})
        for interactions, given, message in (
                ([frame, frame.assign(time=["1", "never"] * 4)], None, r"interactions\[1\]: row 2: .*never"),
                ([frame, frame.assign(user=["u", None] * 4)], None, r"interactions\[1\]: row 2: the user is missing"),
                (frame.assign(user=["u", "\ud800"] * 4), None, "interactions: row 2: .*surrogate"),
                (frame, items.assign(price=[1.5, numpy.inf]), "items: row 2: a number is infinite"),
                (frame, items.assign(name=["a", "b\ud800"]), "items: row 2: .*surrogate"),
                (frame, items.assign(name=[b"a", b"\xff"]), "items: row 2: bytes that are no UTF-8"),
                (frame, items.assign(item=["i", None]), "items: row 2: "),
                (frame.user, None, "interactions: a Series is one column"),
                (pandas.concat([frame, frame[["user"]]], axis=1), None, "two columns 'user'"),
                (frame, pandas.concat([items, items[["price"]]], axis=1), "items: there are two columns 'price'")):
            with self.assertRaisesRegex(genair.Error, message):
                ws.prepare(interactions, given, user_core=1, item_core=1)

    @needs_pandas
    def test_columns_named_by_numbers(self):
        user, item, time = list(self.rows[0])[:3]
        frame = pandas.DataFrame([(r[user], r[item], int(r[time])) for r in self.rows])
        self.expect_same(frame, columns={"user": 0, "item": 1, "time": 2})
        with self.assertRaisesRegex(genair.UsageError, "known as user: there are 0, 1, 2"):
            self.expect_same(frame)

    def test_ids(self):
        from genair._inputs import _field

        self.assertEqual(_field(b"i5", "item", 1), "i5")
        self.assertEqual(_field(decimal.Decimal(5), "item", 1), "5")
        for missing in (None, float("nan"), decimal.Decimal("NaN"), decimal.Decimal("sNaN")):
            with self.assertRaisesRegex(genair.FormatError, "row 3: the user is missing"):
                _field(missing, "user", 3)
        with self.assertRaisesRegex(genair.FormatError, "row 3: the user .* is no UTF-8"):
            _field(b"\xff", "user", 3)
        for wrong in (("u", 1), ["u"], object()):
            with self.assertRaisesRegex(TypeError, "row 3: the item: an id is text or a number"):
                _field(wrong, "item", 3)

    def test_whole_numbers_and_dates(self):
        from genair._inputs import _field

        self.assertEqual(_field(5.0, "item", 1), "5")
        self.assertEqual(_field(datetime.datetime(2020, 1, 2, 3, 4, 5, 678000), "time", 1), "2020-01-02T03:04:05.678Z")
        zone = datetime.timezone(datetime.timedelta(hours=2))
        self.assertEqual(_field(datetime.datetime(2020, 1, 2, 3, tzinfo=zone), "time", 1), "2020-01-02T01:00:00.000Z")

    @needs_numpy
    def test_values_of_numpy(self):
        from genair._inputs import _field, _json_value

        for kind in (numpy.float16, numpy.float32, numpy.float64):
            with self.assertRaisesRegex(genair.FormatError, "the user is missing"):
                _field(kind("nan"), "user", 1)
            self.assertEqual(_field(kind("nan"), "rating", 1), "")
            self.assertEqual(_field(kind(5), "item", 1), "5")
        with self.assertRaisesRegex(genair.FormatError, "the time is missing"):
            _field(numpy.datetime64("NaT"), "time", 1)
        self.assertEqual(_field(numpy.str_("i5"), "item", 1), "i5")
        self.assertEqual(_field(numpy.int64(7), "item", 1), "7")
        for unit in ("s", "ms", "us", "ns"):
            self.assertTrue(_field(numpy.datetime64("2020-01-02T03:04:05", unit), "time", 1).startswith("2020-01-02T03:04:05"))
        self.assertEqual(_json_value({"a": numpy.float32("nan"), "b": numpy.float32(2), "c": [numpy.nan, numpy.int8(1)]}),
                         {"b": 2, "c": [1]})
        with self.assertRaisesRegex(genair.FormatError, "row 2: the user is missing"):
            genair.Workspace(self.scratch / "nan").prepare([("u", "i", 1), (numpy.float32("nan"), "i", 2)])


if __name__ == "__main__":
    shop.main()
