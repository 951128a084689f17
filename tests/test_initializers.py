"""Initial weights: the right spread, right angles, and functions of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastmlp.reference.initializers import INITIALIZERS, initializer_of

VARIANCES = {
    "glorot_uniform": 2 / (300 + 200),
    "glorot_normal": 2 / (300 + 200),
    "he_uniform": 2 / 300,
    "he_normal": 2 / 300,
    "lecun_uniform": 1 / 300,
    "lecun_normal": 1 / 300,
}


@pytest.mark.parametrize("init", VARIANCES)
def test_weights_have_the_variance_of_the_literature(init: str, rng: np.random.Generator) -> None:
    W = initializer_of(init)(300, 200, rng)
    assert W.shape == (300, 200)
    assert W.var() == pytest.approx(VARIANCES[init], rel=0.03)
    assert W.mean() == pytest.approx(0, abs=3 * (VARIANCES[init] / W.size) ** 0.5)
    assert (np.abs(W).max() <= (3 * VARIANCES[init]) ** 0.5) == init.endswith("uniform")


@pytest.mark.parametrize(("n_in", "n_out"), [(5, 3), (3, 5), (4, 4), (1, 1)])
def test_orthogonal_weights_have_right_angles(n_in: int, n_out: int, rng: np.random.Generator) -> None:
    W = initializer_of("orthogonal(2)")(n_in, n_out, rng)
    product = W.T @ W if n_in >= n_out else W @ W.T
    assert product == pytest.approx(4 * np.eye(min(n_in, n_out)), abs=1e-12)


@pytest.mark.parametrize("init", INITIALIZERS)
def test_every_one_makes_a_network(backend: Any, init: str) -> None:
    nets = [backend([4, 7, 2], init=init, random_state=3) for _ in range(2)]
    assert np.array_equal(nets[0].parameters, nets[1].parameters)
    assert all(np.all(b == 0) for b in nets[0].biases)


def test_constant(backend: Any) -> None:
    assert np.all(backend([2, 3, 1], init="constant(0.25)").weights[0] == 0.25)


def test_a_function_draws_them(backend: Any) -> None:
    net = backend([2, 3, 1], init=lambda n_in, n_out, rng: rng.integers(10, size=(n_in, n_out)), random_state=0)
    expected = np.random.default_rng(0).integers(10, size=(2, 3))
    assert np.array_equal(net.weights[0], expected)


BAD: list[tuple[Any, str]] = [
    ("orthogonal(0)", "gain must lie in"),
    ("zeros(1)", "it takes no parameters"),
    ("constant(inf)", "after a name come numbers"),
    (lambda n_in, n_out, rng: np.ones((n_out, n_in)), r"gave weights of shape \(3, 2\), not \(2, 3\)"),
    (lambda n_in, n_out, rng: np.full((n_in, n_out), np.nan), "gave weights.0. a nan: weights are finite"),
]


@pytest.mark.parametrize(("init", "message"), BAD)
def test_bad_ones_are_named(backend: Any, init: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        backend([2, 3, 1], init=init)
