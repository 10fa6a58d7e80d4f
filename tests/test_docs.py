"""The documents tell the truth where a machine can check it: names of tests, paths, links, code, commands."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from run import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
COVERAGE = ROOT / "docs" / "coverage.md"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
RULES = [
    "R-2.1-1",
    *(f"R-2.1.1-{number}" for number in range(1, 6)),
    *(f"R-2.1.2-{number}" for number in range(1, 5)),
    *(f"R-2.1.3-{number}" for number in range(1, 6)),
]
OTHERS = ["2.1", "2.1.3.3", "SM-01", "SM-02", "SM-33", "REF-1", "REF-2", "REF-3", "E.3", "RPT-02", "RPT-28", "d-roles"]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def functions_in(path: str) -> frozenset[str]:
    """Return the names of a file's test functions."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def rows() -> dict[str, str]:
    """Return coverage's rows by the heading or rule that each begins with."""
    lines = re.findall(r"^\| (\S+?),? (.*)\|$", COVERAGE.read_text("utf-8"), re.MULTILINE)
    return {name.rstrip(","): rest for name, rest in lines if not name.startswith("-")}


# --- coverage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*RULES, *OTHERS])
def test_every_rule_of_the_desk_has_its_row_and_its_test(name):
    row = rows().get(name)
    assert row is not None, f"{name} has no row in docs/coverage.md"
    assert "::test_" in row


def test_every_file_that_the_page_of_security_names_is_there():
    cited = set(
        re.findall(r"`((?:app|tests|bench)/[\w/]+(?:\.py)?)`", (ROOT / "docs" / "security.md").read_text("utf-8"))
    )
    assert len(cited) > 20
    assert sorted(path for path in cited if not (ROOT / path).exists()) == []


def test_every_test_that_coverage_names_is_there():
    cited = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", COVERAGE.read_text("utf-8"))
    assert len(cited) > 40
    absent = [f"{path}::{name}" for path, name in cited if not (ROOT / path).exists() or name not in functions_in(path)]
    assert absent == []


def test_every_path_that_coverage_names_is_there():
    paths = set(re.findall(r"`((?:app|tests)/[\w/.]+)[`:]", COVERAGE.read_text("utf-8")))
    assert len(paths) > 15
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("rule", RULES)
def test_a_test_cites_each_rule(rule):
    """A test's own text names the rule, or the range that it belongs to: ``R-2.2.4-1, -3``."""
    cited = re.compile(re.escape(rule) + r"(?!\d)")
    text = "".join(
        path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py") if path.name != "test_docs.py"
    )
    assert cited.search(text), f"no test cites {rule}"


# --- links --------------------------------------------------------------------------------------------------------


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them, and those set by hand."""
    text = page.read_text("utf-8")
    made = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in made}
    return slugs | set(re.findall(r'<a id="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _mark, anchor = target.partition("#")
        there = page.parent / path if path else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in headings(there)):
            broken.append(target)
    assert broken == []


def test_every_picture_is_shown_and_small():
    shown = {match for page in PAGES for match in re.findall(r"pictures/([\w.-]+)", page.read_text("utf-8"))}
    pictures = {path.name: path.stat().st_size for path in (ROOT / "docs" / "pictures").iterdir()}
    assert shown == set(pictures)
    assert [name for name, size in pictures.items() if size > 200_000] == []


# --- code and commands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "develop").glob("*.md")), ids=named)
def test_the_code_of_the_developers_pages_can_be_read(page):
    for block in re.findall(r"^```python[^\n]*\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        is_right = re.match(r' +"\w+": "', block)  # a line of the table of rights
        ast.parse(f"{{{block.strip()}}}" if is_right else block)


def test_every_import_of_the_developers_pages_is_there():
    """What the pages import from the house exists, but for what they themselves make."""
    made = {"app.models.rooms"}
    absent = []
    for page in (ROOT / "docs" / "develop").glob("*.md"):
        for module, names in re.findall(
            r"^from (app[\w.]*) import ([\w, ]+?)(?:  #.*)?$", page.read_text("utf-8"), re.MULTILINE
        ):
            if module in made:
                continue
            source = ROOT / (module.replace(".", "/") + ".py")
            if not source.exists():
                source = ROOT / module.replace(".", "/") / "__init__.py"
                if not source.exists():
                    absent.append(module)
                continue
            text = source.read_text("utf-8")
            asked = [name.partition(" as ")[0] for name in names.split(", ")]
            absent += [f"{module}.{name}" for name in asked if not re.search(rf"\b{name}\b", text)]
    assert absent == []


def test_the_two_commands_stand_in_the_readme_as_they_are_typed():
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert [block.strip() for block in blocks[:2]] == ["python3 run.py demo", "python3 run.py test"]
    assert text.index(blocks[1]) < len(text) // 3


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_a_page_names_is_one(page):
    named_commands = set(re.findall(r"run\.py ([a-z][a-z-]+)", page.read_text("utf-8")))
    assert named_commands <= set(COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_explained_in_the_readme_and_to_operators(command):
    for page in ("README.md", "docs/operate.md"):
        assert re.search(rf"[`, ]{re.escape(command)}\b", (ROOT / page).read_text("utf-8")), f"{page} lacks {command}"


def test_the_settings_that_operators_read_are_those_of_the_configuration():
    read = set(re.findall(r'"((?:YIMEI_|DATABASE_|SECRET_)[A-Z_]+)"', (ROOT / "config.py").read_text("utf-8")))
    told = set(
        re.findall(r"`((?:YIMEI_|DATABASE_|SECRET_)[A-Z_]+)`", (ROOT / "docs" / "operate.md").read_text("utf-8"))
    )
    assert read - told == set()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("page", PAGES, ids=named)
def test_shell_examples_can_be_read(page):
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        read = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert read.returncode == 0, read.stderr + block
