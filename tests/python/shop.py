# SPDX-License-Identifier: Apache-2.0
"""What the tests share: the made-up shop, a workspace of it, what may be missing."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import genair

try:
    import numpy
except ImportError:
    numpy = None
try:
    import pandas
except ImportError:
    pandas = None
try:
    import pyarrow
    import pyarrow.parquet
except ImportError:
    pyarrow = None

needs_numpy = unittest.skipUnless(numpy, "NumPy is missing (python3-numpy)")
needs_pandas = unittest.skipUnless(pandas, "pandas is missing (python3-pandas)")
needs_pyarrow = unittest.skipUnless(pyarrow, "pyarrow is missing")

SMALL = {"hidden": 16, "max_len": 20, "epochs": 2, "batch": 64}


class ShopCase(unittest.TestCase):
    """A directory with the shop's files, and in it a prepared workspace with a run of each kind."""

    @classmethod
    def setUpClass(cls):
        cls._scratch = tempfile.TemporaryDirectory(prefix="genair-test-")
        cls.scratch = Path(cls._scratch.name)
        cls.shop = cls.scratch / "shop"
        subprocess.run([os.environ["GENAIR_SHOP"], cls.shop, "300", "7"], check=True, stdout=subprocess.DEVNULL)
        cls.log, cls.metadata = cls.shop / "interactions.tsv", cls.shop / "items.jsonl"
        cls.ws = genair.Workspace(cls.scratch / "ws", threads=1)
        cls.prepared = cls.ws.prepare(cls.log, cls.metadata)
        cls.trained = cls.ws.train("base", method="base", **SMALL)
        cls.ws.train("pop", method="pop")

    @classmethod
    def tearDownClass(cls):
        cls._scratch.cleanup()

    def command(self, *words):
        """The command line on the same files."""
        return subprocess.run([os.environ["GENAIR_PROGRAM"], *map(str, words)], check=True, capture_output=True,
                              text=True).stdout


def main():
    result = unittest.main(argv=sys.argv, exit=False, verbosity=2).result
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
