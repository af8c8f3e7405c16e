# SPDX-License-Identifier: Apache-2.0
"""The commands as methods: results, errors, messages, stopping."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

import genair
import shop
from shop import SMALL, needs_numpy, needs_pandas, numpy, pandas

STOPPED = """
import signal, sys, genair, os
ws = genair.Workspace(sys.argv[1], threads=1, progress=lambda percent, line: print(line, flush=True))
try:
    ws.train("stopped", method="base", hidden=64, max_len=50, epochs=500, patience=0)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


class Commands(shop.ShopCase):
    def test_results_are_those_of_the_command_line(self):
        self.command("prepare", "-q", "-w", self.scratch / "cli", "--interactions", self.log, "--items", self.metadata)
        self.command("train", "-q", "-w", self.scratch / "cli", "--run", "base", "--method", "base", "--hidden", 16, "--max-len",
                     20, "--epochs", 2, "--batch", 64)
        for file in ("sequences.bin", "ids.bin", "items.jsonl", "runs/base/model.safetensors"):
            self.assertEqual((self.scratch / "cli" / file).read_bytes(), (self.ws.path / file).read_bytes(), file)
        measured = self.ws.evaluate("base", protocol="both")
        printed = json.loads(self.command("evaluate", "-q", "--json", "-w", self.scratch / "cli", "--run", "base",
                                          "--protocol", "both"))
        self.assertEqual(measured["test"], printed["test"])
        self.assertIn("full", measured["test"])

    def test_prepare_tells_its_numbers(self):
        self.assertGreater(self.prepared["users"], 50)
        self.assertEqual(self.trained["run"], "base")
        self.assertEqual(self.ws.runs()[-1], "pop")

    def test_several_runs_and_a_grid(self):
        found = self.ws.compare("base", "pop")
        self.assertEqual((found["A"], found["B"]), (["base"], ["pop"]))
        found = self.ws.sweep({"dropout": [0.2, 0.5]}, method="base", **SMALL)
        self.assertEqual(len(found["points"]), 2)

    def test_errors_by_status_code(self):
        with self.assertRaises(genair.UsageError) as e:
            self.ws.train("x", backbonee="sasrec")
        self.assertIn("did you mean --backbone", str(e.exception))
        self.assertEqual(e.exception.code, 1)
        self.assertIsInstance(e.exception, ValueError)
        with self.assertRaises(genair.UsageError):
            self.ws.train("x", backbone="lstm")
        with self.assertRaises(TypeError):
            self.ws.train("x", hidden=[16, 32])
        with self.assertRaises(TypeError):
            self.ws.train("x", quiet=True)
        with self.assertRaises(genair.UsageError):
            self.ws.train("a\0b")
        bad = self.scratch / "bad.tsv"
        bad.write_text("user_id\titem_id\ttimestamp\nu1\ti1\tnever\n")
        with self.assertRaises(genair.FormatError) as e:
            genair.Workspace(self.scratch / "bad").prepare(bad)
        self.assertEqual((e.exception.file, e.exception.line), (str(bad), 2))
        self.assertTrue(str(e.exception).startswith(f"{bad}:2: "))
        with self.assertRaises(genair.StorageError):
            genair.Workspace(self.scratch / "bad").prepare(self.scratch / "nothing.tsv")

    def test_progress_and_log(self):
        lines = []
        ws = genair.Workspace(self.ws.path, threads=1, progress=lambda percent, line: lines.append((percent, line)))
        with self.assertLogs("genair", "INFO") as log:
            ws.train("told", method="base", **{**SMALL, "epochs": 30})
        self.assertTrue(lines and all(isinstance(line, str) and (p is None or 0 <= p <= 100) for p, line in lines))
        self.assertTrue(log.output)

    def test_an_exception_in_progress_stops_the_stage_and_is_raised(self):
        def refuse(percent, line):
            raise LookupError("enough")

        ws = genair.Workspace(self.ws.path, threads=1, progress=refuse)
        with self.assertRaisesRegex(LookupError, "enough"):
            ws.train("refused", method="base", hidden=64, max_len=50, epochs=500, patience=0)
        self.assertNotIn("refused", ws.runs())

    def test_stop_from_another_thread(self):
        ws = genair.Workspace(self.ws.path, threads=1)
        threading.Timer(0.3, ws.stop).start()
        begin = time.monotonic()
        with self.assertRaises(genair.Interrupted):
            ws.train("halted", method="base", hidden=64, max_len=50, epochs=5000, patience=0)
        self.assertLess(time.monotonic() - begin, 30)

    def test_ctrl_c_saves_and_raises(self):
        child = subprocess.Popen([sys.executable, "-c", STOPPED, self.ws.path], stdout=subprocess.PIPE, text=True)
        for line in child.stdout:
            if int((line.split("epoch ") + ["0"])[1].split()[0]) > 2:  # states of two epochs are saved
                break
        child.send_signal(signal.SIGINT)
        rest, _ = child.communicate(timeout=60)
        self.assertTrue(rest.endswith("interrupted\n"), rest[-200:])
        self.assertTrue((self.ws.path / "runs" / "stopped.training").is_dir())

    def test_serve_ends_with_stop(self):
        ws = genair.Workspace(self.ws.path)
        threading.Timer(0.5, ws.stop).start()
        self.assertEqual(ws.serve("base", listen="127.0.0.1:0")["failed"], 0)

    def test_options_are_described(self):
        rows = genair.options("train")
        self.assertEqual(rows["hidden"]["type"], "int")
        self.assertEqual(rows["hidden"]["default"], "128")
        self.assertEqual(rows["backbone"]["choices"], ["sasrec", "bert4rec", "gru4rec"])
        with self.assertRaises(genair.UsageError):
            genair.options("trian")
        self.assertRegex(genair.__version__, r"^\d+\.\d+\.\d+")

    def test_another_library_is_refused(self):
        done = subprocess.run([sys.executable, "-c", "import genair"], env={**os.environ, "GENAIR_LIBRARY": "libc.so.6"},
                              capture_output=True, text=True)
        self.assertIn("is not the library that this package needs", done.stderr)
        self.assertNotEqual(done.returncode, 0)


class Vectors(shop.ShopCase):
    def setUp(self):
        self.vectors = genair.Workspace(self.scratch / "vectors", threads=1)
        self.vectors.prepare(self.log, self.metadata)

    @needs_numpy
    def test_arrays_are_taken_as_files_are(self):
        prefill, decoding = (numpy.load(self.shop / f"{part}.npy") for part in ("prefill", "decoding"))
        ids = (self.shop / "vectors.ids").read_text().split("\n")[:-1]
        self.vectors.embed(self.shop / "prefill.npy", self.shop / "decoding.npy", ids=self.shop / "vectors.ids")
        expected = (self.vectors.path / "prefill.npy").read_bytes()
        other = genair.Workspace(self.scratch / "other", threads=1)
        other.prepare(self.log, self.metadata)
        for given in (prefill, numpy.asfortranarray(prefill), prefill.astype(">f4"), prefill.astype("float64"),
                      numpy.repeat(prefill, 2, axis=0)[::2]):
            other.embed(given, decoding, ids=ids)
            self.assertEqual((other.path / "prefill.npy").read_bytes(), expected)
        with self.assertLogs("genair", "INFO") as log:
            other.embed(prefill, decoding, ids=ids)
            other.embed(prefill, decoding, ids=ids)
        self.assertIn("nothing to do", log.output[-1])
        other.fuse(components=8)
        self.assertEqual(other.fused().shape, (other.inspect()["items"], 16) if "items" in other.inspect() else
                         other.fused().shape)
        self.assertFalse(other.fused().flags.writeable)

    @needs_numpy
    def test_items_are_added_and_removed(self):
        ws = genair.Workspace(self.scratch / "later", threads=1)
        ws.prepare(self.log, self.metadata)
        prefill, decoding = (numpy.load(self.shop / f"{part}.npy") for part in ("prefill", "decoding"))
        ws.embed(prefill, decoding, ids=self.shop / "vectors.ids")
        ws.fuse(components=8)
        ws.train("one", **SMALL)
        known = ws.open("one").items
        new = [{"item_id": "n1", "title": "One"}, {"item_id": "n2", "title": "Two"}]
        told = ws.add_items(new, prefill=prefill[:2].astype("float64"), decoding=decoding[:2])
        self.assertEqual((told["added"], told["replaced"], told["run"]), (2, 0, "one"))
        self.assertEqual(ws.open("one").items, known + ["n1", "n2"])
        self.assertEqual(len(ws.similar("n1", 3)), 3)
        self.assertEqual(ws.recommend([known[0]], allow=["n2"])[0]["item"], "n2")
        with self.assertRaises(genair.FormatError):
            ws.add_items(new, prefill=prefill[:3], decoding=decoding[:2])
        with self.assertRaises(genair.UsageError):
            ws.add_items(new)
        with self.assertRaisesRegex(genair.UsageError, "no item 'n3' was added"):
            ws.remove_items(["n1", "n3"])
        for wrong in ("n1", b"n1"):
            with self.assertRaises(TypeError):
                ws.remove_items(wrong)
        if pandas:
            self.check_frames_of_new_items(ws, new, prefill[:2], decoding[:2])
        self.assertEqual(ws.remove_items(["n1"])["removed"], 1)
        self.assertEqual(ws.remove_items([])["removed"], 0)
        self.assertEqual(ws.open("one").items, known + ["n2"])

    def check_frames_of_new_items(self, ws, new, prefill, decoding):
        """A frame's rows are the items that its index names; with pandas' own index those in their order."""
        def vectors(of=("n1", "n2")):
            run = ws.open("one")
            return [run.item_vectors[run.items.index(item)].tolist() for item in of]

        expected, ids = vectors(), ["n1", "n2"]
        mine, theirs = pandas.DataFrame(prefill, index=ids), pandas.DataFrame(decoding, index=ids)
        for order in (ids, ids[::-1]):
            ws.add_items(pandas.DataFrame(new).rename(columns={"item_id": "sku"}).assign(item_id="other"), prefill=mine.loc[order],
                         decoding=theirs.loc[order[::-1]], columns={"item": "sku"})
            self.assertEqual(vectors(), expected)
        ws.add_items(new, prefill=mine.reset_index(drop=True), decoding=decoding)
        self.assertEqual(vectors(), expected)
        for index in (["n1", "n3"], ["n1", "n1"], [1, 2]):
            with self.assertRaisesRegex(genair.UsageError, "index"):
                ws.add_items(new, prefill=pandas.DataFrame(prefill, index=index), decoding=decoding)
        (ws.path / "new.jsonl").write_text("".join(json.dumps(record) + "\n" for record in new))
        with self.assertRaisesRegex(genair.UsageError, "index"):
            ws.add_items(ws.path / "new.jsonl", prefill=mine, decoding=decoding)

    @needs_numpy
    def test_wrong_arrays_are_refused(self):
        with self.assertRaises(TypeError):
            self.vectors.embed(numpy.zeros(5, "float32"))
        with self.assertRaises(TypeError):
            self.vectors.embed(numpy.zeros((5, 2), "int32"))
        with self.assertRaises(genair.FormatError):
            self.vectors.embed(numpy.zeros((5, 2), "float32"))
        with self.assertRaises(genair.UsageError):
            self.vectors.embed(numpy.zeros((0, 2), "float32"))
        prefill = numpy.load(self.shop / "prefill.npy")
        prefill[:, 1] = numpy.nan
        with self.assertRaisesRegex(genair.FormatError, "NaN"):
            self.vectors.embed(prefill, ids=self.shop / "vectors.ids")

    @needs_pandas
    def test_a_frame_brings_its_ids(self):
        ids = (self.shop / "vectors.ids").read_text().split("\n")[:-1]
        prefill = numpy.load(self.shop / "prefill.npy")
        frame = pandas.DataFrame(prefill, index=ids)
        self.assertEqual(self.vectors.embed(frame.sample(frac=1, random_state=1))["row_order"], "ids")
        shuffled = (self.vectors.path / "prefill.npy").read_bytes()
        self.vectors.embed(prefill, ids=ids)
        self.assertEqual(shuffled, (self.vectors.path / "prefill.npy").read_bytes())


if __name__ == "__main__":
    shop.main()
