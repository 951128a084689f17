"""The README's badges tell facts. The number of scikit-learn's checks is held in test_estimators.py."""

from __future__ import annotations

import io
import re
import runpy
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import fastmlp

ROOT = Path(__file__).parents[1]
badges = SimpleNamespace(**runpy.run_path(str(ROOT / "docs/make_badges.py")))
CHECKS = badges.CHECKS
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", badges.FACTS)
def test_a_badge_is_what_the_script_draws_and_in_the_readme(key: str) -> None:
    path = badges.FOLDER / f"{key}.svg"
    assert path.read_text(encoding="utf-8") == badges.badge(*badges.FACTS[key]), "run docs/make_badges.py"
    name, fact = badges.FACTS[key]
    assert f"![{name}: {fact}](docs/badges/{key}.svg)" in README


def test_the_size_of_the_wheel() -> None:
    """A wheel is the installed package, zipped."""
    folder = Path(fastmlp.__file__).parent
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                wheel.write(path, path.relative_to(folder))
    megabytes = len(memory.getvalue()) / 1e6
    assert megabytes == pytest.approx(badges.WHEEL_MB, abs=0.1)


def test_what_the_base_install_needs() -> None:
    needed = re.search(r"^dependencies = \[(.*)\]$", PROJECT, re.MULTILINE)
    assert needed
    names = re.findall(r'"(\w+)', needed[1])
    assert [name.lower() for name in re.findall(r"\b(NumPy|safetensors)\b", badges.FACTS["needs"][1])] == names


def test_the_oldest_python() -> None:
    assert f'requires-python = ">={badges.FACTS["python"][1].split()[0]}"' in PROJECT
