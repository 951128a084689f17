"""The sources are clean under the tools that the project keeps to."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CPP = sorted([*ROOT.glob("cpp/**/*.cpp"), *ROOT.glob("cpp/**/*.h")])

ALLOWED = ["--allowlist", "tests/stubtest_allowlist.txt", "--ignore-unused-allowlist"]
CONFIGURED = ["--mypy-config-file", "pyproject.toml"]
CHECKS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy", "--cache-dir", ".mypy_cache/sources"],  # stubtest, which may run meanwhile, has the default one
    "stubtest": ["mypy.stubtest", "fastmlp._core", "--ignore-disjoint-bases", *CONFIGURED, *ALLOWED],
}


@pytest.mark.parametrize("check", CHECKS)
def test_clean_under(check: str) -> None:
    module, *arguments = CHECKS[check]
    command = [sys.executable, "-m", module, *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_clean_under_clang_format() -> None:
    command = [Path(sys.executable).with_name("clang-format"), "--dry-run", "--Werror", *CPP]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_version_is_in_one_place() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version
    sources = [*ROOT.glob("python/**/*.py"), *CPP, ROOT / "CMakeLists.txt"]
    assert not [path for path in sources if version[1] in path.read_text(encoding="utf-8")]
