"""What the house is built from: the lock with its hashes, the licences, the bill of materials. No network is needed.

Only `write_locks` asks an index. docs/decisions/0031.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {"requirements.txt": "requirements.lock", "requirements-dev.txt": "requirements-dev.lock"}
HEAD = "# Made by `python3 run.py lock` from {source}: every file that may be installed, by its hash. Do not edit.\n"
COMPILE = (
    "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url",
    "--no-emit-find-links", "--no-header", "--quiet",
)  # fmt: skip

# As the packages say it themselves: an SPDX expression, else the classifiers. All may be used without opening ours;
# the LGPL and MPL ones are libraries that we import and do not change.
ALLOWED = {
    "MIT", "MIT License", "MIT-0", "MIT-CMU", "ISC", "PSF-2.0", "BSD License", "BSD-2-Clause", "BSD-3-Clause",
    "Apache-2.0", "Apache Software License", "Apache-2.0 OR BSD-3-Clause", "Apache-2.0 OR BSD-2-Clause",
    "BSD License; Apache Software License", "The Unlicense (Unlicense)", "LGPL-3.0-only", "MPL-2.0",
    "GNU Lesser General Public License v3 or later (LGPLv3+)", "Mozilla Public License 2.0 (MPL 2.0)",
}  # fmt: skip
OF_THREE = (
    "GNU General Public License v2 or later (GPLv2+); GNU Lesser General Public License v2 or later (LGPLv2+); "
    "Mozilla Public License 1.1 (MPL 1.1)"
)
# What a package says in words that need reading once: name -> (what it says, what was read).
READ = {
    "pypdfium2": ("BSD-3-Clause, Apache-2.0, dependency licenses", "PDFium and what it bundles are permissive"),
    "pyphen": (OF_THREE, "a choice of three; we take the LGPL"),
}


@dataclass(frozen=True)
class Locked:
    """One line of a lock: a package, its version, where it applies, and the hashes of its files."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def applies(self) -> bool:
        return not self.marker or Marker(self.marker).evaluate()


def locked(path: Path) -> list[Locked]:
    """Return what a lock holds."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            wanted, *hashes = line.split("--hash=sha256:")
            pin, _, marker = wanted.partition(";")
            name, _, number = pin.strip().partition("==")
            found.append(
                Locked(canonicalize_name(name), number.strip(), marker.strip(), tuple(each.strip() for each in hashes))
            )
    return found


def pins(path: Path) -> dict[str, str]:
    """Return what a file of requirements pins: name -> version; what is not pinned is a fault of its own."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted and not wanted.startswith("-"):
            name, _, number = wanted.partition("==")
            found[canonicalize_name(re.sub(r"\[.*\]", "", name))] = number
    return found


def faults(root: Path = ROOT, *, tools: bool = True) -> Iterator[str]:
    """Yield a sentence for whatever differs between the pins, the locks and what is installed."""
    for source, lock in list(LOCKS.items())[: 2 if tools else 1]:
        if not (root / lock).exists():
            yield f"{lock} is missing: run `python3 run.py lock`."
            continue
        text = (root / lock).read_text(encoding="utf-8")
        if re.search(r"https?:|file:|--index|--extra-index|--find-links|@ ", text):
            yield f"{lock} says where packages come from; that is the machine's own affair."
        found = locked(root / lock)
        by_name = {each.name: each for each in found if each.applies()}
        for name, number in pins(root / source).items():
            if name not in by_name or by_name[name].version != number:
                yield f"{source} pins {name} {number} and {lock} does not: run `python3 run.py lock`."
        yield from (
            f"{lock} has no hash of {each.name}." for each in found if not all(map(_is_hash, each.hashes or [""]))
        )
        yield from _not_installed(lock, by_name)


def _is_hash(word: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", word) is not None


def _not_installed(lock: str, by_name: dict[str, Locked]) -> Iterator[str]:
    for each in by_name.values():
        try:
            installed = version(each.name)
        except PackageNotFoundError:
            installed = "absent"
        if installed != each.version:
            yield f"{lock} holds {each.name} {each.version}, installed is {installed}."


def write_locks(say: Any) -> int:
    """Write both locks anew; asks the index that uv is set to. The tools' lock takes the house's versions."""
    for source, lock in LOCKS.items():
        limits = [] if lock == "requirements.lock" else ["--constraints", "requirements.lock"]
        command = [sys.executable, "-m", "uv", *COMPILE, source, *limits, "--output-file", lock]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            say(f"{lock} could not be made: {' '.join(done.stderr.split())[-300:]}")
            return 1
        path = ROOT / lock
        path.write_text(HEAD.format(source=source) + path.read_text(encoding="utf-8"), encoding="utf-8")
        say(f"Wrote {lock}: {len(locked(path))} packages. Install it and run the tests before you commit it.")
    return 0


# -- licences ----------------------------------------------------------------------------------------------------


def licence_of(name: str) -> str:
    """Return what an installed package says of its licence: the expression, else the classifiers, else the words."""
    told = metadata(name)
    classifiers = [each.split(" :: ")[-1] for each in told.get_all("Classifier") or [] if each.startswith("License ::")]
    expression, words = ("".join(told.get_all(field) or []) for field in ("License-Expression", "License"))
    return (expression or "; ".join(classifiers) or next(iter(words.strip().splitlines()), "")).strip()


def licences(lock: Path = ROOT / "requirements.lock") -> Iterator[tuple[str, str, bool]]:
    """Yield (package, its licence, whether it may be used) of what is installed of a lock."""
    for each in locked(lock):
        if each.applies():
            said = licence_of(each.name)
            yield each.name, said, said in ALLOWED or READ.get(each.name, ("",))[0] == said != ""


def show_licences(say: Any) -> int:
    """Say the licence of each package; 1 if one may not be used or is unknown, or if lock and pins differ."""
    refused = 0
    for name, said, allowed in licences():
        refused += not allowed
        say(f"{'ok   ' if allowed else 'bad  '} {name}: {said or 'it says nothing'}")
    wrong = list(faults(tools=False))
    for sentence in wrong:
        say(f"bad   {sentence}")
    return 1 if refused or wrong else 0


# -- the bill of materials ---------------------------------------------------------------------------------------


def bill(lock: Path = ROOT / "requirements.lock") -> dict[str, Any]:
    """Return the bill of materials as CycloneDX 1.6, one component for each package of the lock that applies here."""
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{each.name}@{each.version}",
            "name": each.name,
            "version": each.version,
            "purl": f"pkg:pypi/{each.name}@{each.version}",
            "licenses": [{"license": {"name": licence_of(each.name) or "unknown"}}],
        }
        for each in sorted(locked(lock), key=lambda each: each.name)
        if each.applies()
    ]
    told = json.dumps(components, sort_keys=True)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, told)}",  # the same lock makes the same bill
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "yimei", "name": "yimei"}},
        "components": components,
    }
