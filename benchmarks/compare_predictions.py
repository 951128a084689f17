"""Time the predictions of fastmlp beside NumPy, scikit-learn, PyTorch and JAX, in one run.

    pip install 'fastmlp[peers]'
    python benchmarks/compare_predictions.py --threads 2

One network, 20-64-64-1 with relu, in float32, answers one row in a call and 100,000 rows in a call. Peers take
turns in processes of their own, as compare_peers.py has them. PyTorch runs in inference mode, JAX a compiled program.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from compare_peers import PEERS, Round, installed, measure, started

SIZES = (20, 64, 64, 1)


@dataclass(frozen=True)
class Prediction:
    """Rows of a call, and calls of one timed round."""

    rows: int
    calls: int

    @property
    def steps(self) -> int:
        return self.calls

    def round_of(self, peer: str, threads: int) -> Round:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.rows, SIZES[0]), np.float32)
        weights = [rng.standard_normal((n, m), np.float32) / np.float32(n) ** 0.5 for n, m in pairwise(SIZES)]
        predict = PREDICTORS[peer](weights, [W[0] for W in weights], X, threads)

        def run() -> None:
            for _ in range(self.calls):
                predict()

        return run


PREDICTIONS = {"1 row": Prediction(1, 2000), "100,000 rows": Prediction(100_000, 1)}


def fastmlp_prediction(weights: Any, biases: Any, X: Any, threads: int) -> Round:
    import fastmlp

    net = fastmlp.Network.from_parameters(weights, biases, activation="relu")
    return lambda: net.predict(X)


def numpy_prediction(weights: Any, biases: Any, X: Any, threads: int) -> Round:
    def run() -> object:
        A = X
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            A = np.maximum(A @ W + b, 0)
        return A @ weights[-1] + biases[-1]

    return run


def sklearn_prediction(weights: Any, biases: Any, X: Any, threads: int) -> Round:
    import warnings

    from sklearn.neural_network import MLPRegressor

    warnings.filterwarnings("ignore", message="Stochastic Optimizer: Maximum iterations")
    model = MLPRegressor(hidden_layer_sizes=SIZES[1:-1], activation="relu", max_iter=1)
    model.fit(np.tile(X[:1], (2, 1)), np.zeros(2, np.float32))
    model.coefs_, model.intercepts_ = weights, biases
    return lambda: model.predict(X)


def torch_prediction(weights: Any, biases: Any, X: Any, threads: int) -> Round:
    import torch

    torch.set_num_threads(threads)
    modules: list[Any] = []
    for W, b in zip(weights, biases, strict=True):
        linear = torch.nn.Linear(*W.shape)
        linear.weight.data, linear.bias.data = torch.from_numpy(W.T.copy()), torch.from_numpy(b.copy())
        modules += [linear, torch.nn.ReLU()]
    model, inputs = torch.nn.Sequential(*modules[:-1]), torch.from_numpy(X)

    def run() -> object:
        with torch.inference_mode():
            return model(inputs)

    return run


def jax_prediction(weights: Any, biases: Any, X: Any, threads: int) -> Round:
    import jax
    import jax.numpy as jnp

    layers = [(jnp.asarray(W), jnp.asarray(b)) for W, b in zip(weights, biases, strict=True)]

    def forward(layers: Any, x: Any) -> Any:
        *hidden, (W, b) = layers
        for V, c in hidden:
            x = jax.nn.relu(x @ V + c)
        return x @ W + b

    compiled, inputs = jax.jit(forward), jnp.asarray(X)
    return lambda: jax.block_until_ready(compiled(layers, inputs))


PREDICTORS: dict[str, Callable[[Any, Any, Any, int], Round]] = {
    "fastmlp": fastmlp_prediction,
    "NumPy": numpy_prediction,
    "scikit-learn": sklearn_prediction,
    "PyTorch": torch_prediction,
    "JAX": jax_prediction,
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", default=",".join(PEERS), help="peers, separated by commas")
    parser.add_argument("--seconds", type=float, default=6.0, help="measuring time of a row of the table")
    args = parser.parse_args(argv)
    peers = installed(args.peers.split(","))
    print("microseconds of a call".ljust(24) + "".join(f"{peer:>14}" for peer in peers) + "   x best")
    with started(peers, args.threads) as pipes:
        for name, prediction in PREDICTIONS.items():
            row = measure(pipes, prediction, args.seconds)
            others = [row[peer] for peer in peers if peer != "fastmlp"]
            best = f"{min(others) / row['fastmlp']:9.2f}" if others else "        -"
            print(f"{name:24}" + "".join(f"{row[peer] * 1e6:14.2f}" for peer in peers) + best, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
