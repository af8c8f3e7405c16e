#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the program's bill of materials, CycloneDX 1.5 as JSON: the program, the Debian packages of the libraries it loads
or contains ("required"), what it runs ("optional"), those it was built and tested with ("excluded"; tools/dependencies.txt), and the bundled language model.
The same input gives the same bytes; SOURCE_DATE_EPOCH adds the time.

usage: sbom.py GENAIR-PROGRAM
"""
import hashlib
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN = ["gnuplot-nox"]
BUNDLED = "data/model/archetype-tiny.gguf"


def output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as e: # not there, or for another processor
        sys.exit(f"sbom.py: {command[0]} cannot be run here: {e.strerror}")
    if done.returncode != 0:
        sys.exit(f"sbom.py: {' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def sha256(path):
    return [{"alg": "SHA-256", "content": hashlib.sha256(Path(path).read_bytes()).hexdigest()}]


NATIVE = output("dpkg", "--print-architecture").strip()


def owner(library):
    """The package of a file. dpkg may know it under the directory that /lib and the like are links to, or from."""
    real = os.path.realpath(library)
    for name in (real, real.removeprefix("/usr"), library):
        found = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.split(": ")[0].split(",")[0]
    sys.exit(f"sbom.py: {library} belongs to no Debian package: only packaged libraries can be listed")


def loaded_packages(program):
    """Of the libraries that the program itself names; what those load in turn is their packages' matter."""
    named = [line.split("[")[1].split("]")[0] for line in output("readelf", "-dW", program).splitlines() if "(NEEDED)" in line]
    lines = output("ldd", program).splitlines()
    places = {line.split()[0]: line.split()[2] for line in lines if "=> /" in line}
    places |= {os.path.basename(line.split()[0]): line.split()[0] for line in lines if line.strip().startswith("/")} # the loader itself
    missing = [name for name in named if name not in places]
    if missing:
        sys.exit(f"sbom.py: the loader does not find {', '.join(missing)}; install the packages that {program} needs")
    return {owner(places[name]) for name in named}


def contained_packages(program):
    """Linked statically: names of C++ types stay in a stripped program too."""
    return {"libfaiss-dev"} if b"N5faiss" in Path(program).read_bytes() else set()


def build_packages():
    lines = (line.split() for line in (ROOT / "tools/dependencies.txt").read_text().splitlines() if not line.startswith("#"))
    return {package for group, package in lines if group in ("build", "library", "faiss", "mpi", "test")}


def component(package, scope):
    """None when the package is not installed for this architecture."""
    form = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${Maintainer}\t${db:Status-Status}\n"
    found = subprocess.run(["dpkg-query", "-W", "-f", form, package], capture_output=True, text=True)
    here = (NATIVE, "all")
    rows = [row for row in map(lambda line: line.split("\t"), found.stdout.splitlines()) if row[2] in here and row[5] == "installed"]
    if not rows:
        return None
    name, version, architecture, source, maintainer, _ = rows[0]
    reference = f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={architecture}"
    return {"type": "library" if name.startswith(("lib", "zlib")) else "application", "bom-ref": reference,
            "supplier": {"name": maintainer}, "name": name, "version": version, "scope": scope, "purl": reference,
            "properties": [{"name": "debian:source", "value": source}]}


def bill(program):
    version = output(program, "--version").split()[1]
    required = loaded_packages(program) | contained_packages(program)
    components = [component(package, "required") for package in sorted(required)]
    components += [component(package, "optional") for package in RUN]
    components += [component(package, "excluded") for package in sorted(build_packages() - required)]
    components = [c for c in components if c]
    model = {"type": "machine-learning-model", "bom-ref": BUNDLED, "name": Path(BUNDLED).name,
             "scope": "optional", "hashes": sha256(ROOT / BUNDLED), "licenses": [{"license": {"id": "Apache-2.0"}}]}
    itself = {"type": "application", "bom-ref": f"pkg:generic/genair@{version}", "name": "genair", "version": version,
              "hashes": sha256(program), "licenses": [{"license": {"id": "Apache-2.0"}}], "purl": f"pkg:generic/genair@{version}"}
    needed = [c["bom-ref"] for c in components if c["scope"] == "required"]
    document = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": itself},
                "components": components + [model],
                "dependencies": [{"ref": itself["bom-ref"], "dependsOn": needed}] + [{"ref": r} for r in needed]}
    if os.environ.get("SOURCE_DATE_EPOCH"):
        made = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))
        document["metadata"]["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", made)
    document["serialNumber"] = "urn:uuid:" + str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(document, sort_keys=True)))
    return document


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.rstrip().splitlines()[-1])
    json.dump(bill(str(Path(sys.argv[1]).resolve())), sys.stdout, indent=1)
    print()
