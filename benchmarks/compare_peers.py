"""Time a training step of fastmlp beside NumPy, scikit-learn, PyTorch and JAX, in one run.

    pip install 'fastmlp[peers]'
    python benchmarks/compare_peers.py                      all workloads and peers, one thread
    python benchmarks/compare_peers.py --threads 2 --only mnist,higgs
    python benchmarks/compare_peers.py --chart docs/speed.png

Every peer trains the same layers on the same rows in the same order, in float32, and runs in a
process of its own with the same processors. Peers take turns, round by round, so that a drift of the
machine reaches all of them; the figure is the median round. Compiling and a first round are not
timed. JAX runs a whole round as one compiled program, the fastest form it has. A peer that is not
installed is left out, and the table says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np

LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Workload:
    """Layers, hidden activation, rows, rows of a batch, update rule, and epochs of one timed round."""

    sizes: tuple[int, ...]
    activation: str
    rows: int
    batch: int
    rule: str
    epochs: int = 1

    @property
    def steps(self) -> int:
        return self.epochs * (self.rows // self.batch)

    @property
    def flops(self) -> int:
        """Floating-point operations of the products of one step, each multiply-add counted as two."""
        pairs = list(zip(self.sizes[:-1], self.sizes[1:], strict=True))
        return self.batch * (6 * sum(n * m for n, m in pairs) - 2 * pairs[0][0] * pairs[0][1])

    def round_of(self, peer: str, threads: int) -> Round:
        return PEERS[peer][1](self, threads)


WORKLOADS = {
    "tiny": Workload((1, 4, 4, 4, 4, 1), "tanh", 5, 5, "sgd", 200),
    "online": Workload((13, 32, 1), "tanh", 1000, 1, "sgd"),
    "tabular": Workload((20, 64, 64, 1), "relu", 10_000, 32, "adam"),
    "cliff": Workload((10, 64, 64, 10), "relu", 12_800, 128, "adam"),
    "matexp": Workload((4, 32, 16, 4), "tanh", 10_000, 10_000, "adam", 20),
    "mnist": Workload((784, 128, 10), "relu", 10_000, 128, "adam"),
    "higgs": Workload((28, 300, 300, 300, 300, 300, 1), "tanh", 10_000, 100, "adam"),
    "wide": Workload((1024, 1024, 1024, 10), "relu", 4096, 512, "adam"),
}

Round = Callable[[], object]


class Work(Protocol):
    """What peers are timed at: a round of it takes so many steps."""

    @property
    def steps(self) -> int: ...

    def round_of(self, peer: str, threads: int) -> Round:
        """Prepare what ``peer`` is to do, and return a function that does it once."""


def samples(work: Workload) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    whole_batches = work.rows // work.batch * work.batch
    X = rng.standard_normal((whole_batches, work.sizes[0]), np.float32)
    return X, 0.1 * rng.standard_normal((whole_batches, work.sizes[-1]), np.float32)


def fastmlp_round(work: Workload, threads: int | None, module: str = "fastmlp") -> Round:
    import fastmlp

    network: Any = fastmlp.Network if module == "fastmlp" else fastmlp.reference.Network
    net = network(work.sizes, work.activation, random_state=0)
    X, Y = samples(work)
    rule = fastmlp.Adam(LEARNING_RATE) if work.rule == "adam" else fastmlp.SGD(LEARNING_RATE)
    return lambda: net.train(
        X, Y, epochs=work.epochs, batch_size=work.batch, optimizer=rule, shuffle=False, n_threads=threads
    )


def numpy_round(work: Workload, threads: int) -> Round:
    return fastmlp_round(work, threads, "reference")


def sklearn_round(work: Workload, threads: int) -> Round:
    import warnings

    from sklearn.neural_network import MLPRegressor

    warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
    X, Y = samples(work)
    model = MLPRegressor(
        hidden_layer_sizes=work.sizes[1:-1],
        activation=work.activation,
        solver=work.rule,
        alpha=0,
        batch_size=work.batch,
        learning_rate_init=LEARNING_RATE,
        momentum=0,
        max_iter=work.epochs,
        n_iter_no_change=work.epochs + 1,
        shuffle=False,
    )
    return lambda: model.fit(X, Y.squeeze())


def torch_round(work: Workload, threads: int) -> Round:
    import torch

    torch.set_num_threads(threads)
    modules: list[Any] = []
    for n, m in zip(work.sizes[:-1], work.sizes[1:], strict=True):
        modules += [torch.nn.Linear(n, m), torch.nn.Tanh() if work.activation == "tanh" else torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1])
    rule: Any = (
        torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=True)
        if work.rule == "adam"
        else torch.optim.SGD(model.parameters(), LEARNING_RATE)
    )
    X, Y = map(torch.from_numpy, samples(work))
    error = torch.nn.MSELoss()

    def run() -> None:
        for _ in range(work.epochs):
            for x, y in zip(X.split(work.batch), Y.split(work.batch), strict=True):
                rule.zero_grad()
                error(model(x), y).backward()
                rule.step()

    return run


def jax_round(work: Workload, threads: int) -> Round:
    import jax
    import jax.numpy as jnp

    X, Y = (jnp.asarray(a).reshape(-1, work.batch, a.shape[1]) for a in samples(work))
    s = jnp.tanh if work.activation == "tanh" else jax.nn.relu
    rng = np.random.default_rng(1)
    layers = [
        (jnp.asarray(rng.standard_normal((n, m), np.float32) / np.float32(n) ** 0.5), jnp.zeros(m))
        for n, m in zip(work.sizes[:-1], work.sizes[1:], strict=True)
    ]

    def loss(layers: Any, x: Any, y: Any) -> Any:
        *hidden, (W, b) = layers
        for V, c in hidden:
            x = s(x @ V + c)
        return jnp.square(x @ W + b - y).sum(axis=1).mean() / 2

    def adam(state: Any, gradient: Any) -> Any:
        P, m, v, t = state
        t = t + 1
        m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, gradient)
        v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, v, gradient)
        rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return jax.tree.map(lambda p, a, b: p - rate * a / (jnp.sqrt(b) + 1e-8), P, m, v), m, v, t

    def sgd(state: Any, gradient: Any) -> Any:
        return jax.tree.map(lambda p, g: p - LEARNING_RATE * g, state[0], gradient), *state[1:]

    update = adam if work.rule == "adam" else sgd

    def program(state: Any) -> Any:
        def batch(state: Any, xy: Any) -> Any:
            return update(state, jax.grad(loss)(state[0], *xy)), None

        def epoch(state: Any, _: Any) -> Any:
            return jax.lax.scan(batch, state, (X, Y))[0], None

        return jax.lax.scan(epoch, state, None, length=work.epochs)[0]

    zeros = jax.tree.map(jnp.zeros_like, layers)
    state = [(layers, zeros, zeros, jnp.float32(0))]

    compiled = jax.jit(program)

    def run() -> None:
        state[0] = jax.block_until_ready(compiled(state[0]))

    return run


PEERS: dict[str, tuple[str, Callable[[Workload, int], Round]]] = {
    "fastmlp": ("fastmlp", fastmlp_round),
    "NumPy": ("numpy", numpy_round),
    "scikit-learn": ("sklearn", sklearn_round),
    "PyTorch": ("torch", torch_round),
    "JAX": ("jax", jax_round),
}


def serve(pipe: Connection, peer: str, threads: int) -> None:
    """In a process of its own: prepare the workloads that come through the pipe, and time a round when asked to."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    run: Round = bool
    while (message := pipe.recv()) != "end":
        if message == "run":
            start = time.perf_counter()
            run()
            pipe.send(time.perf_counter() - start)
        else:
            run = message.round_of(peer, threads)
            run()
            pipe.send("ready")


@contextmanager
def started(peers: list[str], threads: int) -> Iterator[dict[str, Connection]]:
    """Start a process for each peer; the pipes to them are for :func:`measure`."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    for peer in peers:
        pipes[peer], other = context.Pipe()
        context.Process(target=serve, args=(other, peer, threads), daemon=True).start()
        other.close()
    yield pipes
    for pipe in pipes.values():
        pipe.send("end")


def measure(pipes: dict[str, Connection], work: Work, seconds: float) -> dict[str, float]:
    """Return the median seconds of a step of each peer."""
    for pipe in pipes.values():
        pipe.send(work)
        pipe.recv()
    rounds: dict[str, list[float]] = {peer: [] for peer in pipes}
    end = time.perf_counter() + seconds
    while len(next(iter(rounds.values()))) < 3 or time.perf_counter() < end:
        for peer, pipe in pipes.items():
            pipe.send("run")
            rounds[peer].append(pipe.recv())
    return {peer: statistics.median(times) / work.steps for peer, times in rounds.items()}


def draw(table: dict[str, dict[str, float]], threads: int, path: str) -> None:
    """Draw the time of a step relative to fastmlp's, on a logarithmic scale."""
    from matplotlib.figure import Figure

    colours = {"NumPy": "#0072B2", "scikit-learn": "#E69F00", "PyTorch": "#D55E00", "JAX": "#009E73"}
    figure = Figure(figsize=(8, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    others = [peer for peer in PEERS if peer != "fastmlp" and any(peer in row for row in table.values())]
    for i, peer in enumerate(others):
        places = [x + (i - (len(others) - 1) / 2) * 0.2 for x in range(len(table))]
        ratios = [row.get(peer, float("nan")) / row["fastmlp"] for row in table.values()]
        axes.bar(places, [ratio - 1 for ratio in ratios], 0.2, bottom=1, color=colours[peer], label=peer)
    axes.axhline(1, color="black", linewidth=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}x")
    axes.set_xticks(range(len(table)), [f"{name}\n{'-'.join(map(str, short(name)))}" for name in table], fontsize=7)
    axes.set_ylabel("time of a training step\nrelative to fastmlp's")
    axes.set_title(
        f"float32, {threads} thread{'' if threads == 1 else 's'}; above the line fastmlp is faster", fontsize=10
    )
    axes.legend(ncols=len(others), fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def short(name: str) -> tuple[object, ...]:
    """Return the sizes with repeated hidden layers written as 5x300."""
    first, *hidden, last = WORKLOADS[name].sizes
    if len(hidden) > 1 and len(set(hidden)) == 1:
        return first, f"{len(hidden)}x{hidden[0]}", last
    return first, *hidden, last


def installed(asked: list[str]) -> list[str]:
    """Return those of the peers that are here, and tell which are not."""
    peers = [peer for peer in asked if importlib.util.find_spec(PEERS[peer][0])]
    for peer in set(asked) - set(peers):
        print(f"{peer} is not installed: left out", file=sys.stderr)
    return peers


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default=",".join(WORKLOADS), help="workloads, separated by commas")
    parser.add_argument("--peers", default=",".join(PEERS), help="peers, separated by commas")
    parser.add_argument("--seconds", type=float, default=6.0, help="measuring time of a workload")
    parser.add_argument("--chart", help="write a chart of the ratios to this file")
    args = parser.parse_args(argv)
    peers = installed(args.peers.split(","))
    from fastmlp.cli.bench import peak

    print(
        "microseconds of a step".ljust(24)
        + "".join(f"{peer:>14}" for peer in peers)
        + "        GF/s   of peak   x best"
    )
    table = {}
    with started(peers, args.threads) as pipes:
        for name in args.only.split(","):
            table[name] = row = measure(pipes, WORKLOADS[name], args.seconds)
            others = [row[peer] for peer in peers if peer != "fastmlp"]
            best = f"{min(others) / row['fastmlp']:9.2f}" if others else "        -"
            cells = "".join(f"{row[peer] * 1e6:14.2f}" for peer in peers)
            rate = WORKLOADS[name].flops / row["fastmlp"]
            print(f"{name:24}{cells}{rate / 1e9:12.1f}{rate / peak(args.threads):10.0%}{best}", flush=True)
    if args.chart:
        draw(table, args.threads, args.chart)
    return 0


if __name__ == "__main__":
    sys.exit(main())
