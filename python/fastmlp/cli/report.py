"""What ``train``, ``predict`` and ``evaluate`` tell of a model alike."""

from __future__ import annotations

from typing import Any

from ..tabular.evaluation import Metrics
from .output import warn


def warn_of_unknown(unknown: dict[str, int], rows: str, quiet: bool) -> None:
    """Warn of values of text that a model does not know: how many rows of each column have one."""
    for name, n in unknown.items():
        who, has, its = (rows.removesuffix("s"), "has", "its") if n == 1 else (rows, "have", "their")
        warn(f"column {name!r}: {n} {who} {has} a value that no training row has; {its} inputs are 0", quiet)


def print_metrics(report: dict[str, dict[str, Any]], guess: str) -> None:
    """Print the metrics of some parts of the rows, each above those of the plainest guess."""
    header = True
    for part, metrics in report.items():
        rows, plainest = metrics.pop("rows"), metrics.pop("plainest_guess")
        if header:
            print(f"{'rows':>32}", *(f"{name:>10}" for name in metrics))
            header = False
        print(f"{part:22}{rows:>10}", *(f"{number:>10}" for number in _rounded(metrics)))
        print(f"{'  ' + guess:32}", *(f"{number:>10}" for number in _rounded(plainest)))


def _rounded(metrics: Metrics) -> list[str]:
    """Return metrics as they are printed: errors to five digits, and shares to four places."""
    return [
        f"{number:.5g}" if name in ("RMSE", "MAE") else f"{round(number, 4) + 0.0:.4f}"  # the sum turns -0.0 into 0.0
        for name, number in metrics.items()
    ]
