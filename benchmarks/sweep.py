"""Look for cliffs: time training over widths, depths, batches and threads.

    python benchmarks/sweep.py                        everything but the map
    python benchmarks/sweep.py neighbours --widths 16,45,64 --depths 2 --batches 128
    python benchmarks/sweep.py map --chart docs/sweep.png    needs fastmlp[peers]

The networks are 10-w-...-w-10, relu, trained by Adam in float32.

threads     n_threads=None over the best fixed number of threads: 1 is ideal, 1.05 the limit
neighbours  width w + 1 over width w: 1.4 is the limit from w = 16 up
last        batches of b and a last one of r rows, over the same batches and one more step of r rows: 1 is ideal
map         NumPy's and PyTorch's time of a step over ours, drawn as a heat map; below 1 we lose

The sides of a ratio take turns in rounds of some milliseconds, and the median round counts. One cell in many is out
of its limit by chance: those that are get measured again, four times as long, before they are told.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from compare_peers import Round, Workload, fastmlp_round, measure, started

import fastmlp

WIDTHS = (*range(1, 33), 45, 46, 47, 63, 64, 65, 96, 100, 127, 128, 129, 200, 255, 256, 300, 511, 512, 1000, 1023, 1024)
DEPTHS = (1, 2, 3, 4, 5)
BATCHES = (1, 2, 5, 16, 32, 100, 128, 512, 1000, 4096)
MAP_WIDTHS = (1, 2, 4, 8, 16, 24, 32, 33, 45, 46, 64, 100, 128, 256, 512, 1024)
MAP_BATCHES = (1, 4, 16, 64, 128, 512, 4096)

PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

# A round: so many seconds at so many operations a second and so many seconds of a step's overhead.
ROUND, SPEED, OVERHEAD = 3e-3, 5e10, 1e-6


def workload(width: int, depth: int, batch: int) -> Workload:
    one = Workload((10, *[width] * depth, 10), "relu", batch, batch, "adam")
    steps = max(1, round(ROUND / (one.flops / SPEED + OVERHEAD)))
    batches = min(steps, max(1, 20_000 // batch))
    return replace(one, rows=batches * batch, epochs=max(1, steps // batches))


def in_turns(rounds: dict[str, Round], n: int) -> dict[str, float]:
    """Return the median seconds of each round of n, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in rounds}
    for i in range(n + 1):
        for name, run in rounds.items():
            start = time.perf_counter()
            run()
            if i:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


@dataclass(frozen=True)
class Finding:
    """A ratio of two times, and the cell of the sweep that it belongs to."""

    ratio: float
    width: int
    depth: int
    batch: int
    note: str = ""

    def __str__(self) -> str:
        return f"{self.ratio:8.2f}   width {self.width:<5} depth {self.depth}  batch {self.batch:<5} {self.note}"


Check = Callable[[int, int, int, int], Iterator[Finding]]


def threads(width: int, depth: int, batch: int, n: int) -> Iterator[Finding]:
    """Compare the number of threads that is chosen with every fixed one."""
    work = workload(width, depth, batch)
    counts: list[int | None] = [None, *range(1, PROCESSORS + 1)]
    seconds = in_turns({str(count): fastmlp_round(work, count) for count in counts}, n)
    chosen = seconds.pop("None")
    best = min(seconds, key=seconds.__getitem__)
    yield Finding(chosen / seconds[best], width, depth, batch, f"best with {best}")


def neighbours(width: int, depth: int, batch: int, n: int) -> Iterator[Finding]:
    """Compare a width with the next one, trained for as many steps."""
    work = workload(width, depth, batch)
    wider = replace(work, sizes=(10, *[width + 1] * depth, 10))
    for count in range(1, PROCESSORS + 1):
        seconds = in_turns({"": fastmlp_round(work, count), "wider": fastmlp_round(wider, count)}, n)
        yield Finding(seconds["wider"] / seconds[""], width, depth, batch, f"{count} thread(s)")


def last(width: int, depth: int, batch: int, n: int) -> Iterator[Finding]:
    """Compare runs that end with a short batch with their two parts."""
    work = workload(width, depth, batch)
    work = replace(work, rows=min(work.rows, 4 * batch))
    for rest in sorted({1, batch // 2, batch - 1} - {0, batch}):
        parts = {"whole": (work.rows, batch), "short": (rest, rest), "both": (work.rows + rest, batch)}
        for count in range(1, PROCESSORS + 1):
            seconds = in_turns({k: plain_round(work, *part, count) for k, part in parts.items()}, n)
            share = seconds["both"] / (seconds["whole"] + seconds["short"])
            yield Finding(share, width, depth, batch, f"and {rest} rows, {count} thread(s)")


def plain_round(work: Workload, rows: int, batch: int, count: int) -> Round:
    """Return a round of rows that need not be whole batches."""
    net: Any = fastmlp.Network(work.sizes, work.activation, random_state=0)
    rng = np.random.default_rng(0)
    X, Y = (rng.standard_normal((rows, n), np.float32) for n in (work.sizes[0], work.sizes[-1]))
    rule, epochs = fastmlp.Adam(1e-3), work.epochs
    return lambda: net.train(X, Y, epochs=epochs, batch_size=batch, optimizer=rule, shuffle=False, n_threads=count)


def out_of_limit(check: Check, finding: Finding) -> bool:
    if check is threads:
        return finding.ratio > 1.05
    if check is neighbours:
        return finding.width >= 16 and not 1 / 1.4 < finding.ratio < 1.4
    return finding.ratio > 1.1


def search(check: Check, cells: list[tuple[int, int, int]], rounds: int) -> list[Finding]:
    """Return all findings of the cells, those out of the limit from a second, longer look."""
    findings: list[Finding] = []
    for cell in cells:
        found = list(check(*cell, rounds))
        if any(out_of_limit(check, f) for f in found):
            found = list(check(*cell, 4 * rounds))
        findings += found
    return findings


def tell(check: Check, findings: list[Finding]) -> None:
    beyond = [f for f in findings if out_of_limit(check, f)]
    ratios = sorted(f.ratio for f in findings)
    low, median, high = ratios[0], statistics.median(ratios), ratios[-1]
    print(f"{check.__name__}: {len(findings)} ratios from {low:.2f} to {high:.2f}, median {median:.2f}; ", end="")
    print(f"{len(beyond)} out of the limit")
    for finding in sorted(beyond, key=lambda f: -f.ratio):
        print(finding)
    sys.stdout.flush()


def draw(maps: dict[tuple[str, int], Any], widths: list[int], batches: list[int], depth: int, path: str) -> None:
    """Draw a heat map of ratios for each peer and number of threads, with losing cells framed."""
    from matplotlib.colors import TwoSlopeNorm
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    peers, counts = ([*dict.fromkeys(key[i] for key in maps)] for i in (0, 1))
    figure = Figure(figsize=(16, 3.2 * len(counts)), dpi=100, layout="constrained")
    grid = figure.subplots(len(counts), len(peers), squeeze=False)
    for (peer, count), ratios in maps.items():
        axes = grid[counts.index(count), peers.index(peer)]
        image = axes.imshow(np.log10(ratios), cmap="RdBu", norm=TwoSlopeNorm(0, -1, 2), aspect="auto")
        for i, j in np.ndindex(ratios.shape):
            loses = ratios[i, j] < 1
            style = "bold" if loses else "normal"
            colour = "white" if ratios[i, j] > 10 or ratios[i, j] < 0.4 else "black"
            text = f"{ratios[i, j]:.0f}" if ratios[i, j] > 99 else f"{ratios[i, j]:.2g}"
            axes.text(j, i, text, ha="center", va="center", size=8, color=colour, weight=style)
            if loses:
                axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=2))
        axes.set_xticks(range(len(widths)), widths, size=8)
        axes.set_yticks(range(len(batches)), batches, size=8)
        axes.set_title(f"{peer}, {count} thread{'' if count == 1 else 's'}", size=10)
        axes.set_xlabel("width w", size=9)
        axes.set_ylabel("batch", size=9)
    layers = "-".join(["10", *["w"] * depth, "10"])
    figure.suptitle(
        f"Time of a training step over fastmlp's: {layers}, relu, Adam, float32 (framed: fastmlp is slower)"
    )
    bar = figure.colorbar(image, ax=grid, ticks=[-1, 0, 1, 2], shrink=0.8)
    bar.ax.set_yticklabels(["0.1x", "1x", "10x", "100x"])
    figure.savefig(path)


def compare(
    peers: list[str], widths: list[int], batches: list[int], depth: int, seconds: float, path: str | None
) -> None:
    """Measure and print the map, and draw it where a path is given."""
    maps = {}
    for count in range(1, PROCESSORS + 1):
        for peer in peers:
            maps[peer, count] = np.empty((len(batches), len(widths)))
        with started(["fastmlp", *peers], count) as pipes:
            for (i, batch), (j, width) in itertools.product(enumerate(batches), enumerate(widths)):
                row = measure(pipes, workload(width, depth, batch), seconds)
                for peer in peers:
                    maps[peer, count][i, j] = row[peer] / row["fastmlp"]
    for (peer, count), ratios in maps.items():
        print(f"{peer} over fastmlp, {count} thread(s): {(ratios < 1).sum()} of {ratios.size} cells lost")
        print("   batch" + "".join(f"{width:>7}" for width in widths))
        for batch, row_of_ratios in zip(batches, ratios, strict=True):
            print(f"{batch:>8}" + "".join(f"{ratio:>7.3g}" for ratio in row_of_ratios))
    if path:
        draw(maps, widths, batches, depth, path)


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    checks: dict[str, Check] = {check.__name__: check for check in (threads, neighbours, last)}
    parser.add_argument("what", nargs="*", default=[*checks], help="threads, neighbours, last or map")
    parser.add_argument("--widths", type=numbers)
    parser.add_argument("--depths", type=numbers, default=list(DEPTHS), help="hidden layers; the map takes the second")
    parser.add_argument("--batches", type=numbers)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of a ratio")
    parser.add_argument("--seconds", type=float, default=0.2, help="measuring time of a cell of the map")
    parser.add_argument("--peers", default="NumPy,PyTorch", help="of the map, separated by commas")
    parser.add_argument("--chart", help="draw the map into this file")
    args = parser.parse_args(argv)
    if wrong := set(args.what) - {*checks, "map"}:
        parser.error(f"{', '.join(wrong)}: should be of {', '.join(checks)}, map")
    cells = list(itertools.product(args.widths or WIDTHS, args.depths, args.batches or BATCHES))
    for name in args.what:
        if name == "map":
            depth = args.depths[min(1, len(args.depths) - 1)]
            widths, batches = args.widths or [*MAP_WIDTHS], args.batches or [*MAP_BATCHES]
            compare(args.peers.split(","), widths, batches, depth, args.seconds, args.chart)
        else:
            tell(checks[name], search(checks[name], cells, args.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
