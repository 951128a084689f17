"""Samples that judge a run: given ones, and rows that are held out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import reference
from fastmlp.reference.arrays import Array
from fastmlp.reference.batches import permutation
from fastmlp.reference.optimizers import SGD


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[Array, Array]:
    X = rng.uniform(-1, 1, (50, 2))
    return X, np.sin(X.sum(axis=1, keepdims=True))


def test_weighted_validation(backend: Any, data: tuple[Array, Array]) -> None:
    X, Y = data
    net, weight = backend([2, 4, 1], dtype="float64", random_state=0), np.linspace(0, 3, 20)
    history = net.train(X[:30], Y[:30], epochs=3, validation_data=(X[30:], Y[30:], weight))
    assert history.validation_loss[-1] == pytest.approx(net.loss(X[30:], Y[30:], sample_weight=weight), rel=1e-12)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_fraction_holds_out_the_first_rows_of_a_permutation(
    backend: Any, data: tuple[Array, Array], shuffle: bool
) -> None:
    X, Y = data
    weight = np.linspace(1, 2, 50)
    net, twin = (backend([2, 4, 1], dtype="float64", random_state=0) for _ in range(2))
    arguments: dict[str, Any] = {"epochs": 4, "batch_size": 8, "shuffle": shuffle}
    history = net.train(X, Y, validation_data=0.3, sample_weight=weight, random_state=5, **arguments)

    rng = np.random.default_rng(5)
    held_out = np.sort(permutation(50, rng)[:15])
    others = np.setdiff1d(np.arange(50), held_out)
    validation = X[held_out], Y[held_out], weight[held_out]
    expected = twin.train(
        X[others], Y[others], validation_data=validation, sample_weight=weight[others], random_state=rng, **arguments
    )
    assert history.loss == pytest.approx(expected.loss, rel=1e-12)
    assert history.validation_loss == pytest.approx(expected.validation_loss, rel=1e-12)
    assert net.parameters == pytest.approx(twin.parameters, rel=1e-10)


def test_both_networks_hold_out_the_same_rows_and_judge_alike(data: tuple[Array, Array]) -> None:
    histories = [
        network([2, 4, 1], dtype="float64", random_state=0).train(
            *data, epochs=6, batch_size=8, validation_data=0.2, metrics=["r2", "gradient_norm"], random_state=1
        )
        for network in (fastmlp.Network, reference.Network)
    ]
    core, twin = (history.curves() for history in histories)
    assert list(core) == list(twin) == ["loss", "validation_loss", "r2", "learning_rate", "gradient_norm"]
    for name, curve in core.items():
        assert curve == pytest.approx(twin[name], rel=1e-9)


def test_a_batch_is_at_most_what_is_left_to_train_on(backend: Any, data: tuple[Array, Array]) -> None:
    optimizer = SGD()
    backend([2, 4, 1]).train(*data, epochs=1, batch_size=30, validation_data=0.5, optimizer=optimizer)
    assert optimizer.steps == 1


@pytest.mark.parametrize(
    ("validation", "error", "message"),
    [
        (0.0, ValueError, r"validation_data must lie in \(0, 1\)"),
        (1.0, ValueError, r"validation_data must lie in \(0, 1\)"),
        (float("nan"), ValueError, r"validation_data must lie in \(0, 1\)"),
        (0.001, ValueError, "validation_data=0.001 of 50 rows leaves none to validate with"),
        (0.999, ValueError, "validation_data=0.999 of 50 rows leaves none to train on"),
        (1, TypeError, "or the fraction of the rows to hold out"),
        ((np.ones((3, 2)),), TypeError, "validation_data must be a pair"),
        ((np.ones((3, 2)), np.ones(3), np.ones(2)), ValueError, r"validation_data\[2\] must have shape \(3,\)"),
        ((np.ones((3, 2)), np.ones(3), -np.ones(3)), ValueError, r"validation_data\[2\]\[0\] is -1.0"),
    ],
)
def test_bad_validation_data(
    backend: Any, data: tuple[Array, Array], validation: Any, error: type[Exception], message: str
) -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(error, match=message):
        backend([2, 4, 1]).train(*data, epochs=1, validation_data=validation, random_state=rng)
    assert rng.random() == np.random.default_rng(1).random()


def test_weights_that_leave_nothing_on_one_side_are_said_to(backend: Any) -> None:
    weight = np.zeros(10)
    weight[3] = 1
    net = backend([1, 1])
    with pytest.raises(ValueError, match=r"sample_weight is zero for every row (held out|left to train on)"):
        net.train(np.ones((10, 1)), np.ones(10), epochs=1, validation_data=0.5, sample_weight=weight, random_state=0)
