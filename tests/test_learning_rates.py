"""The learning-rate range test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import find_learning_rate, reference
from fastmlp.reference.arrays import Array
from fastmlp.reference.optimizers import RULES, SGD, Adam, Rprop

Data = tuple[Array, Array]


@pytest.fixture
def data(rng: np.random.Generator) -> Data:
    X = rng.standard_normal((300, 3))
    return X, np.sin(X.sum(axis=1))


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if not rule.FULL_BATCH])
def test_the_suggestion_learns(backend: Any, data: Data, rule: str) -> None:
    net, optimizer = backend([3, 16, 1], random_state=0), RULES[rule]
    found = find_learning_rate(net, *data, optimizer=optimizer, random_state=0)
    assert found.suggestion is not None
    rule_found = type(optimizer)(found.suggestion)
    history = net.train(*data, epochs=20, batch_size=32, optimizer=rule_found, random_state=0)
    assert history.loss[-1] < 0.5 * history.loss[0]


def test_a_rule_without_a_learning_rate_is_refused(backend: Any, data: Data) -> None:
    with pytest.raises(ValueError, match="Rprop finds its step sizes by itself"):
        find_learning_rate(backend([3, 16, 1]), *data, optimizer=Rprop())


def test_a_schedule_is_left_out(backend: Any, data: Data) -> None:
    net = backend([3, 16, 1], random_state=0)
    scheduled, plain = (
        find_learning_rate(net, *data, optimizer=optimizer, random_state=0)
        for optimizer in (Adam(schedule=fastmlp.schedules.Exponential(0.5)), Adam())
    )
    assert np.array_equal(scheduled.losses, plain.losses)


def test_network_and_optimizer_stay_as_they_are(backend: Any, data: Data) -> None:
    net, optimizer = backend([3, 16, 1], random_state=0), Adam(0.5)
    net.train(*data, epochs=2, optimizer=optimizer)
    before, slots = net.parameters.copy(), [slot.copy() for slot in optimizer.slots]
    find_learning_rate(net, *data, optimizer=optimizer)
    assert np.array_equal(net.parameters, before)
    assert all(np.array_equal(a, b) for a, b in zip(optimizer.slots, slots, strict=True))
    assert (optimizer.steps, optimizer.learning_rate) == (2, 0.5)


def test_the_curve(backend: Any, data: Data) -> None:
    found = find_learning_rate(backend([3, 16, 1]), *data, low=1e-4, high=0.1, n_steps=31, random_state=0)
    assert np.allclose(found.learning_rates, np.geomspace(1e-4, 0.1, 31))
    assert found.losses.shape == found.smoothed.shape == (31,)
    assert found.smoothed[15] == pytest.approx(found.losses[14:17].mean())
    assert found.losses[0] > found.losses[-1]


def test_it_ends_where_the_loss_explodes(backend: Any, data: Data) -> None:
    found = find_learning_rate(backend([3, 16, 1], activation="linear"), *data, optimizer=SGD(), high=1e9)
    assert len(found.losses) < 100
    assert np.isfinite(found.losses).all()


def test_nothing_is_suggested_where_nothing_falls(backend: Any, data: Data) -> None:
    net = backend([3, 1], random_state=0)
    X, _ = data
    found = find_learning_rate(net, X, net.predict(X), optimizer=SGD(), low=0.1)
    assert found.suggestion is None


def test_both_networks_find_the_same(data: Data) -> None:
    core, twin = (
        find_learning_rate(network([3, 16, 1], dtype="float64", random_state=0), *data, random_state=4)
        for network in (fastmlp.Network, reference.Network)
    )
    assert core.suggestion == twin.suggestion
    assert core.losses[:60] == pytest.approx(twin.losses[:60], rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"low": 0}, ValueError, "low must lie in"),
        ({"low": 1.0, "high": 0.5}, ValueError, "high must lie in"),
        ({"n_steps": 9}, ValueError, "n_steps must be at least 10"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"optimizer": "adam"}, TypeError, "optimizer must be an object"),
        ({"loss": "mse"}, ValueError, "unknown loss"),
    ],
)
def test_bad_arguments(
    backend: Any, data: Data, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        find_learning_rate(backend([3, 4, 1]), *data, **arguments)
