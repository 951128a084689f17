"""The pages that teach show lines of the sources, and name tests, that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["mathematics.md", "exercises.md"]


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def excerpts(page: str) -> list[tuple[Path, dict[str, str]]]:
    """Return the file and the options of each excerpt that a page takes from the sources."""
    found = re.findall(r"^```\{literalinclude\} (\S+)\n((?::.*\n)*)```$", text_of(page), re.MULTILINE)
    return [
        (ROOT / "docs" / path, dict(re.findall(r"^:([\w-]+): ?\"?(.*?)\"?$", o, re.MULTILINE))) for path, o in found
    ]


def definitions(path: Path) -> set[str]:
    """Return the functions, classes and methods of a file, by their names with dots."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
            names |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    return names


@pytest.mark.parametrize("page", PAGES)
def test_every_excerpt_is_found_in_the_sources(page: str) -> None:
    for path, options in excerpts(page):
        lines = path.read_text(encoding="utf-8").splitlines()
        if "pyobject" in options:
            assert options["pyobject"] in definitions(path), options
        else:
            first = [i for i, line in enumerate(lines) if options["start-at"] in line]
            last = [i for i, line in enumerate(lines) if options["end-at"] in line]
            assert len(first) == len(last) == 1, options
            assert 0 <= last[0] - first[0] < 20, options


def test_the_page_on_the_mathematics_shows_the_sources() -> None:
    assert len(excerpts("mathematics.md")) >= 8


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_named_exists(page: str) -> None:
    named = re.findall(r"`(tests/\w+\.py)::(\w+)`", text_of(page))
    assert named
    for path, name in named:
        assert name in definitions(ROOT / path), name
