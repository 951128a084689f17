"""The comparison with peers runs, with those that are here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "compare_peers.py"


def test_comparison_with_numpy_prints_a_table_and_draws_a_chart(tmp_path: Path) -> None:
    chart = tmp_path / "speed.png"
    command = [sys.executable, SCRIPT, "--only", "tiny,tabular", "--peers", "fastmlp,NumPy", "--seconds", "0.3"]
    result = subprocess.run([*command, "--chart", chart], capture_output=True, text=True, check=True)
    head, *rows = result.stdout.splitlines()
    assert head.split()[-6:] == ["NumPy", "GF/s", "of", "peak", "x", "best"]
    assert [row.split()[0] for row in rows] == ["tiny", "tabular"]
    for row in rows:
        _, ours, numpy, _, share, ratio = row.split()
        assert 0 <= int(share.rstrip("%")) <= 100
        # The slack is for a machine that is busy with something else; what is expected is 3 to 100.
        assert float(numpy) > 1.2 * float(ours) > 0
        assert float(ratio) > 1.2
    assert chart.read_bytes().startswith(b"\x89PNG")
