"""``fastmlp bench``: the time of a training step, and of predictions, on this machine."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from .. import Network, _core
from ..errors import UserError
from ..reference.arrays import Array
from ..reference.optimizers import Optimizer
from . import arguments
from .optimizers import OPTIMIZERS, takes_all_rows
from .output import print_json

# Rounds are long enough for the clock, and short enough for several of them.
SECONDS_OF_A_ROUND = 0.02
ROUNDS_OF_PEAK, SPINS = 5, 2_000_000

RULES = tuple(name for name in OPTIMIZERS if not takes_all_rows(name))

DESCRIPTION = """\
Time a training step and predictions of a network on this machine, on random data: the median of rounds that take \
turns. The peak is what multiply-adds in registers alone reach on as many threads, counted as two operations each; its \
share counts the products of the layers, and nothing else."""


def add(commands: Any) -> None:
    """Declare the command."""
    command = arguments.add_command(
        commands,
        "bench",
        "time training and predictions on this machine",
        DESCRIPTION,
        "fastmlp bench --layers 20,64,64,1 --batch 32",
    )
    command.add_argument(
        "--layers", type=layers, default="20,64,64,1", metavar="N,N", help="sizes of all layers (default: %(default)s)"
    )
    command.add_argument(
        "--batch", type=arguments.integer(1), default=32, metavar="N", help="rows of a step (default: %(default)s)"
    )
    command.add_argument(
        "--activation", type=arguments.activations, default="relu", metavar="NAME", help="(default: %(default)s)"
    )
    command.add_argument("--optimizer", choices=RULES, default="adam", help="(default: %(default)s)")
    command.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="(default: %(default)s)")
    command.add_argument(
        "--seconds",
        type=arguments.number(0, 3600, open_low=True),
        default=2.0,
        metavar="S",
        help="how long to measure (default: %(default)s)",
    )
    arguments.add_threads(command)
    arguments.add_json(command)
    command.set_defaults(run=run)


def layers(text: str) -> list[int]:
    """Convert the sizes of at least two layers for argparse."""
    sizes = arguments.sizes(text)
    if len(sizes) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} must be sizes of the inputs and the outputs at least")
    return sizes


def run(args: argparse.Namespace) -> int:
    """Measure, and print."""
    threads = args.threads or _core.n_threads()
    multiply_adds = args.batch * sum(n * m for n, m in pairwise(args.layers))
    # Forward, and backward twice: but nobody asks for the derivatives by the inputs of the first layer.
    of_step = 6 * multiply_adds - 2 * args.batch * args.layers[0] * args.layers[1]
    try:
        works = _works(args)
        seconds = measure(works, args.seconds)
    except (MemoryError, ValueError) as error:
        raise UserError(f"cannot measure --layers {','.join(map(str, args.layers))}: {error}") from None
    highest = peak(threads, args.dtype)
    flops = {"step": of_step, "predict": 2 * multiply_adds, "predict_one": 2 * multiply_adds // args.batch}
    results = {
        name: {
            "microseconds": seconds[name] * 1e6,
            "gflops": flops[name] / seconds[name] / 1e9,
            "share_of_peak": flops[name] / seconds[name] / highest,
        }
        for name in works
    }
    if args.json:
        settings = ("layers", "batch", "activation", "optimizer", "dtype")
        told = {name: getattr(args, name) for name in settings}
        print_json({**told, "threads": threads, "simd": _core.simd(), "peak_gflops": highest / 1e9, **results})
        return 0
    sizes = "-".join(map(str, args.layers))
    print(f"network {sizes}, {args.activation}, {args.dtype}; {_core.simd()}, on up to {threads} threads")
    print(f"peak of multiply-adds {highest / 1e9:.1f} GF/s")
    rows = "1 row" if args.batch == 1 else f"{args.batch} rows"
    labels = {
        "step": f"step of {rows}, {args.optimizer}",
        "predict": f"predict, {rows}",
        "predict_one": "predict, 1 row",
    }
    print(f"{'':32}{'microseconds':>14}{'GF/s':>10}{'of peak':>10}")
    for name, row in results.items():
        print(f"{labels[name]:32}{row['microseconds']:>14.2f}{row['gflops']:>10.2f}{row['share_of_peak']:>10.1%}")
    return 0


def peak(threads: int, dtype: str = "float32") -> float:
    """Return the multiply-adds a second, each counted as two operations, that registers alone allow."""
    network = _core.NetworkFloat32 if dtype == "float32" else _core.NetworkFloat64
    rates = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(ROUNDS_OF_PEAK):
            start = time.perf_counter()
            done = sum(pool.map(network.spin, [SPINS] * threads))
            rates.append(2 * done / (time.perf_counter() - start))
    return statistics.median(rates)


def measure(works: dict[str, Callable[[int], object]], seconds: float) -> dict[str, float]:
    """Return the median seconds of a time of each work, which does itself so many times; works take turns."""
    times = {name: _times_of_a_round(work) for name, work in works.items()}
    rounds: dict[str, list[float]] = {name: [] for name in works}
    end = time.perf_counter() + seconds
    while len(next(iter(rounds.values()))) < 3 or time.perf_counter() < end:
        for name, work in works.items():
            rounds[name].append(_timed(work, times[name]) / times[name])
    return {name: statistics.median(found) for name, found in rounds.items()}


def _times_of_a_round(work: Callable[[int], object]) -> int:
    """Return how often a work has to be done for a round that is long enough."""
    times = 1
    while times < 2**24 and _timed(work, times) < SECONDS_OF_A_ROUND:
        times *= 2
    return times


def _timed(work: Callable[[int], object], times: int) -> float:
    start = time.perf_counter()
    work(times)
    return time.perf_counter() - start


def _works(args: argparse.Namespace) -> dict[str, Callable[[int], object]]:
    """Return what is timed, each as a function that does it so many times."""
    net = Network(args.layers, args.activation, dtype=args.dtype, random_state=0)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((args.batch, args.layers[0])).astype(args.dtype)
    Y = 0.1 * rng.standard_normal((args.batch, args.layers[-1])).astype(args.dtype)
    optimizer = OPTIMIZERS[args.optimizer](learning_rate=1e-6)
    assert isinstance(optimizer, Optimizer)

    def step(times: int) -> object:
        return net.train(X, Y, epochs=times, optimizer=optimizer, n_threads=args.threads)

    works: dict[str, Callable[[int], object]] = {"step": step, "predict": _calls(net, X, args.threads)}
    return works if args.batch == 1 else {**works, "predict_one": _calls(net, X[:1], args.threads)}


def _calls(net: Network, X: Array, threads: int | None) -> Callable[[int], object]:
    """Return a function that calls ``predict`` so many times."""

    def calls(times: int) -> None:
        for _ in range(times):
            net.predict(X, threads)

    return calls
