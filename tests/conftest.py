"""What the tests share: the backends, data, and how to compare."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import _core, reference
from fastmlp.data import load_digits
from fastmlp.reference.arrays import Array
from fastmlp.reference.layers import Layers

INSTRUCTION_SETS = _core.simd_available()

# A shell has its background jobs ignore Ctrl-C, which tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=INSTRUCTION_SETS)
def simd(request: pytest.FixtureRequest) -> Iterator[str]:
    """Use each instruction set that this processor runs, in turn."""
    before = _core.simd()
    _core.use_simd(request.param)
    yield request.param
    _core.use_simd(before)


@pytest.fixture(params=["reference", *INSTRUCTION_SETS])
def backend(request: pytest.FixtureRequest) -> Iterator[type]:
    """Give the network class of the reference, and of the core with each instruction set."""
    if request.param == "reference":
        yield reference.Network
        return
    before = _core.simd()
    _core.use_simd(request.param)
    yield fastmlp.Network
    _core.use_simd(before)


@pytest.fixture(params=["core", "reference"])
def network(request: pytest.FixtureRequest) -> Any:
    """Give the class of each kind of network, the core's with the instruction set in use."""
    return {"core": fastmlp.Network, "reference": reference.Network}[request.param]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture(scope="session")
def digits() -> tuple[Array, Array]:
    """Give the handwritten digits: pixels, and one column per class."""
    X, labels = load_digits()
    return X, np.eye(10, dtype=np.float32)[labels]


# Every loss at least once: its spec, the output activation that it is taken with, and outputs for a target.
LOSS_CASES = {
    "squared_error": ("squared_error", "linear", 1),
    "squared_error of tanh": ("squared_error", "tanh", 1),
    "absolute_error": ("absolute_error", "linear", 1),
    "absolute_error of gelu": ("absolute_error", "gelu", 1),
    "huber": ("huber", "linear", 1),
    "huber(0.3)": ("huber(0.3)", "sigmoid", 1),
    "log_cosh": ("log_cosh", "linear", 1),
    "quantile": ("quantile", "linear", 1),
    "quantile(0.9)": ("quantile(0.9)", "tanh", 1),
    "quantile, three levels": ("quantile(0.1, 0.5, 0.9)", "linear", 3),
    "poisson": ("poisson", "exp", 1),
    "gamma": ("gamma", "exp", 1),
    "gaussian_nll": ("gaussian_nll", "mean_variance", 2),
    "log_loss, labels": ("log_loss", "sigmoid", 1),
    "log_loss, smoothed labels": ("log_loss(label_smoothing=0.1)", "sigmoid", 1),
    "log_loss, classes": ("log_loss", "softmax", 1),
    "log_loss, smoothed classes": ("log_loss(0.1)", "softmax", 1),
}


def targets_for(output_activation: str, n: int, n_targets: int, rng: np.random.Generator) -> Array:
    """Return targets that are in the domain of the losses of that output activation."""
    Y: Array = rng.standard_normal((n, n_targets))
    if output_activation == "exp":
        return np.exp(Y)
    if output_activation == "sigmoid":
        return (Y > 0).astype(float)
    if output_activation == "softmax":
        return np.eye(n_targets)[rng.integers(n_targets, size=n)]
    return Y


def relative_error(a: Array, b: Array) -> float:
    """Return the largest difference over the largest value of b."""
    return float(np.abs(a - b).max() / max(np.abs(b).max(), np.finfo(b.dtype).tiny))


def randomize_biases(net: Layers, rng: np.random.Generator) -> None:
    for b in net.biases:
        b[:] = 0.3 * rng.standard_normal(b.shape)


def make_network(
    network: Any, sizes: list[int], activation: str = "tanh", output: str = "linear", **arguments: Any
) -> Any:
    net = network(sizes, activation, output, **{"dtype": "float64", "random_state": 3, **arguments})
    randomize_biases(net, np.random.default_rng(4))
    return net


@pytest.fixture
def surface(rng: np.random.Generator) -> tuple[Array, Array]:
    """Two outputs of two inputs, with some noise."""
    X = rng.uniform(-1, 1, (80, 2))
    Y = np.stack([np.sin(3 * X[:, 0]) * X[:, 1], X[:, 0] ** 2], axis=1)
    return X, Y + 0.05 * rng.standard_normal(Y.shape)


@pytest.fixture
def plane(rng: np.random.Generator) -> tuple[Array, Array]:
    """Three standardised columns, and a target that follows them."""
    X = rng.standard_normal((300, 3))
    return X, np.sin(X[:, 0]) + 0.5 * X[:, 1] - 0.3 * X[:, 2]


def seconds_to_stop(script: str) -> float:
    """Return how long a script that has said "ready" takes to end its run after a Ctrl-C, and to be usable again."""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        sent = time.time()
        os.kill(process.pid, signal.SIGINT)
        seconds = float(process.stdout.readline()) - sent
        assert process.stdout.readline() == "usable\n"
    assert process.returncode == 0
    return seconds


def _scaled(data: Any) -> tuple[Array, Array]:
    X, y = data.data, data.target
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    for a in (X, y):
        a.flags.writeable = False
    return X, y


@pytest.fixture(scope="session")
def iris() -> tuple[Array, Array]:
    """Give Fisher's irises, scaled: 150 rows of four features, and three species."""
    from sklearn.datasets import load_iris

    return _scaled(load_iris())


@pytest.fixture(scope="session")
def cancer() -> tuple[Array, Array]:
    """Give tumours of the breast, scaled: 569 rows of thirty features, malign (0) or benign (1)."""
    from sklearn.datasets import load_breast_cancer

    return _scaled(load_breast_cancer())


@pytest.fixture(scope="session")
def diabetes() -> tuple[Array, Array]:
    """Give the course of diabetes, features and target scaled: 442 rows of ten features."""
    from sklearn.datasets import load_diabetes

    X, y = _scaled(load_diabetes())
    return X, (y - y.mean()) / y.std()


@pytest.fixture(scope="session")
def classifier() -> tuple[Any, Any, Any]:
    """Give a pipeline fitted to the irises, which knows names of features and classes, and its data."""
    from sklearn.datasets import load_iris
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    iris = load_iris(as_frame=True)
    names = iris.target_names[iris.target]
    model = make_pipeline(
        StandardScaler(), fastmlp.MLPClassifier((4,), "tanh", solver="lbfgs", alpha=0.1, random_state=0)
    )
    return model.fit(iris.data, names), iris.data, names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
