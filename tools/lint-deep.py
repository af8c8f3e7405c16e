#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Deeper static analysis of src than lint.sh, minutes of every processor: clang-tidy, and gcc's -fanalyzer. A remark without ground is
answered in lint-deep.answers, a line "FILE CHECK NUMBER REASON"; exit status 1 with any other, and with an answer to nothing.

usage: lint-deep.py BUILD-DIRECTORY
"""
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = ["-*", "clang-analyzer-*", "bugprone-*", "cert-*", "concurrency-*", "portability-*",
          "-bugprone-easily-swappable-parameters", # a matter of style
          "-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling", # asks for Annex K, which glibc does not have
          "-cert-err33-c",             # CHECKED marks what must be looked at
          "-concurrency-mt-unsafe",    # getenv, strerror, readdir: glibc's are, and the environment is set before there are threads
          "-bugprone-sizeof-expression",     # arrays of pointers are meant
          "-bugprone-narrowing-conversions"] # a character constant is an int for it, beside a char
REMARK = re.compile(r"^(\S+?):(\d+):\d+: warning: (.*) \[([\w.,+-]+)\]$", re.M)


def output(command, directory):
    return subprocess.run(command, cwd=directory, capture_output=True, text=True)


def remarks_of(unit):
    """Of one entry of compile_commands.json: a set of (file, line, check, text)."""
    directory, file = unit["directory"], str((Path(unit["directory"]) / unit["file"]).resolve())
    tidy = output(["clang-tidy", "--quiet", "-p", directory, "--checks=" + ",".join(CHECKS), file], directory)
    if tidy.returncode != 0 and not REMARK.search(tidy.stdout):
        sys.exit(f"lint-deep.py: clang-tidy on {file}: {tidy.stderr.strip()}")
    said = tidy.stdout
    if file.endswith(".c"): # gcc 12's is not meant for C++
        words = shlex.split(unit["command"])
        words[words.index("-o") + 1] = os.devnull
        words = [w for w in words if w not in ("-MD", "-Werror") and not w.endswith(".o.d") and w not in ("-MQ", "-MF")]
        gcc = output(["gcc"] + [w for w in words[1:] if not w.endswith(".c.o")] + ["-fanalyzer", "-fdiagnostics-color=never"], directory)
        if gcc.returncode != 0:
            sys.exit(f"lint-deep.py: gcc on {file}: {gcc.stderr.strip()}")
        said += gcc.stderr
    found = set()
    for place, line, text, check in REMARK.findall(said):
        path = (Path(directory) / place).resolve()
        if path.is_relative_to(ROOT):
            found.add((str(path.relative_to(ROOT)), int(line), check.removeprefix("-W"), text))
    return found


def answers():
    listed = {}
    for line in (ROOT / "tools/lint-deep.answers").read_text().splitlines():
        if line and not line.startswith("#"):
            file, check, n, _reason = line.split(maxsplit=3)
            listed[file, check] = int(n)
    return listed


def main():
    build = Path(sys.argv[1]).resolve()
    units = {u["file"]: u for u in json.loads((build / "compile_commands.json").read_text()) if re.search(r"(^|/)src/", u["file"])}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = sorted(set().union(*pool.map(remarks_of, units.values())))
    number, listed = Counter((file, check) for file, _, check, _ in found), answers()
    unanswered = [f"{file}:{line}: {text} [{check}]" for file, line, check, text in found if number[file, check] != listed.get((file, check))]
    unasked = [f"lint-deep.answers: {file} {check}: answers {n}, there are {number[file, check]}" for (file, check), n in listed.items()
               if number[file, check] != n]
    print("\n".join(unanswered + unasked) or f"nothing found but {len(found)} remarks that are answered, in {len(units)} sources")
    return 1 if unanswered or unasked else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.rstrip().splitlines()[-1])
    sys.exit(main())
