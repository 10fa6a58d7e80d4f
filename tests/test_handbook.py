"""The developer's pages: the code on them is counted, and together it makes an application that does what they say.

A block whose info string names a file is what one types into that file: a new one, unless it exists; lines for
``app/roles.py`` take the place of the table's earlier line. The word ``further`` after the name: typed, but counted
apart.
"""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.databases import fresh_database

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "develop"
#: Page -> at most so many lines, in the order in which the pages build on each other.
LIMITS = {
    "add-a-table.md": 40,
    "add-an-act.md": 20,
    "add-a-form.md": 60,
    "add-a-report.md": 50,
    "add-a-job.md": 10,
}
BLOCK = re.compile(r"^```(\w+) ([\w./-]+\.\w+)( further)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAID = re.compile(r"^Lines: \*\*(\d+)\*\* of at most \*\*(\d+)\*\*\.", re.MULTILINE)
UNCOUNTED = {tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


class Block(NamedTuple):
    """What one types into a file."""

    path: str
    is_further: bool
    code: str


def blocks_of(page: str) -> list[Block]:
    """Return what a page asks one to type, in its order."""
    found = BLOCK.findall((PAGES / page).read_text("utf-8"))
    return [Block(path, bool(further), code) for _language, path, further, code in found]


def lines_of(block: Block) -> int:
    """Count a block's lines by the rule of docs/develop/README.md."""
    if block.path.startswith("tests/"):
        return 0
    if not block.path.endswith(".py"):
        return sum(bool(line.strip()) for line in re.sub(r"{#.*?#}|/\*.*?\*/", "", block.code, flags=re.S).splitlines())
    tokens = tokenize.generate_tokens(io.StringIO(whole(block.code)).readline)
    kept = {line for token in tokens if token.type not in UNCOUNTED for line in range(token.start[0], token.end[0] + 1)}
    return len(kept - docstring_lines(whole(block.code)))


def whole(code: str) -> str:
    """Return code that can be read by itself; a line of the table of rights is one of a dictionary."""
    return f"{{{code.strip()}}}" if is_right(code) else code


def is_right(code: str) -> bool:
    return re.match(r' +"\w+": "', code) is not None


def docstring_lines(code: str) -> set[int]:
    """Return the lines on which docstrings stand."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            found |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return found


def test_lines_are_counted_as_the_handbook_says():
    counted = '''"""Module.\n\nMore."""\n\nimport os  # why\n\n# a comment\n'''
    counted += '''def act():\n    """Do."""\n    return (\n        1,\n    )\n'''
    assert lines_of(Block("app/x.py", False, counted)) == 5
    assert lines_of(Block("app/roles.py", False, '    "room": "list show",\n')) == 1
    assert lines_of(Block("app/templates/x.html", False, "{# why #}\n\n<p>\n</p>\n")) == 2
    assert lines_of(Block("tests/test_x.py", False, "import os\n")) == 0


@pytest.mark.parametrize(("page", "limit"), LIMITS.items())
def test_each_page_takes_as_many_lines_as_it_says_and_no_more_than_it_may(page, limit):
    counted = sum(lines_of(block) for block in blocks_of(page) if not block.is_further)
    said = SAID.search((PAGES / page).read_text("utf-8"))
    assert said is not None, f"{page} does not say how many lines it takes"
    assert (int(said[1]), int(said[2])) == (counted, limit)
    assert 0 < counted <= limit


def test_the_readme_repeats_the_numbers_of_the_pages():
    text = (PAGES / "README.md").read_text("utf-8")
    for page in LIMITS:
        said = SAID.search((PAGES / page).read_text("utf-8"))
        assert said is not None
        assert re.search(rf"\({page}\).*\| {said[1]} of {said[2]} \|$", text, re.MULTILINE), page


def typed_into(folder: Path) -> list[str]:
    """Type the pages, one after another, into a copy of the project; return the modules typed into."""
    typed: dict[str, None] = {}
    for name in ("app", "migrations", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("config.py", "run.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for page in [*LIMITS, "add-a-task.md"]:
        for block in blocks_of(page):
            path = folder / block.path
            typed |= {block.path: None} if path.suffix == ".py" else {}
            if is_right(block.code):
                path.write_text(with_right(path.read_text("utf-8"), block.code), "utf-8")
                continue
            path.parent.mkdir(exist_ok=True, parents=True)
            standing = path.read_text("utf-8").rstrip("\n") + "\n\n\n" if path.exists() else ""
            path.write_text(standing + block.code, "utf-8")
    return [*typed]


def with_right(roles: str, line: str) -> str:
    """Return the table of roles with a line in ``ORGANISATION``, in the place of the table's earlier one."""
    head, _colon, _names = line.partition(":")
    start = roles.index("ORGANISATION: Rights = {\n")
    end = roles.index("}\n", start)
    kept = [each for each in roles[start:end].splitlines(keepends=True) if not each.startswith(head + ":")]
    return roles[:start] + "".join(kept) + line + roles[end:]


@pytest.mark.slow
def test_the_pages_typed_one_after_another_make_an_application_that_does_what_they_say(tmp_path):
    typed = typed_into(tmp_path)
    with fresh_database("handbook", copy=True) as (app_url, owner_url):
        environment = {**os.environ, "DATABASE_URL": app_url, "DATABASE_OWNER_URL": owner_url}
        environment |= {"PYTHONPATH": str(tmp_path), "YIMEI_HOME": str(tmp_path / "home")}
        walked = subprocess.run(
            [sys.executable, "-m", "tests.handbook_walk"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    assert walked.returncode == 0, walked.stderr[-4000:]
    read = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", *typed],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert read.returncode == 0, read.stdout
