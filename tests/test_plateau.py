"""Runs that end for lack of improvement, whoever counts the epochs: the compiled loop, or Python."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.reference.arrays import Array
from fastmlp.reference.plateau import Plateau

Data = tuple[Array, Array]


@pytest.fixture
def data(rng: np.random.Generator) -> Data:
    X = rng.uniform(-1, 1, (40, 2)).astype("float32")
    return X, np.sin(X.sum(axis=1, keepdims=True))


class Ending:
    """Asks to stop at a plateau, and remembers when it was asked."""

    def __init__(self, plateau: Plateau, reason: str | None = "it is flat") -> None:
        self.plateau, self.reason, self.asked = plateau, reason, list[int]()

    def on_plateau(self, state: Any) -> str | None:
        self.asked.append(state.epoch)
        self.plateau.waited = 0
        return self.reason


class ByHand:
    """The same as a callback of every epoch, counted by hand."""

    def __init__(self, tolerance: float, patience: int) -> None:
        self.tolerance, self.patience = tolerance, patience

    def on_epoch_end(self, state: Any) -> bool:
        losses = state.history.loss
        best = [min(losses[:i], default=math.inf) for i in range(len(losses))]
        better = [loss <= low - self.tolerance for loss, low in zip(losses, best, strict=True)]
        return not any(better[-self.patience - 1 :])


def train(backend: Any, data: Data, callback: Any, batch_size: int | None = 8, **arguments: Any) -> Any:
    net = backend([2, 5, 1], random_state=0)
    history = net.train(*data, epochs=300, batch_size=batch_size, random_state=0, callbacks=[callback], **arguments)
    return net, history


@pytest.mark.parametrize("batch_size", [1, 8, None])
@pytest.mark.parametrize("tolerance", [0.0, 1e-3])
def test_a_run_ends_at_the_epoch_that_counting_by_hand_gives(
    backend: Any, data: Data, batch_size: int | None, tolerance: float
) -> None:
    ending = Ending(Plateau(tolerance, 3))
    net, history = train(backend, data, ending, batch_size, optimizer=fastmlp.Adam(0.02))
    by_hand, expected = train(backend, data, ByHand(tolerance, 3), batch_size, optimizer=fastmlp.Adam(0.02))
    assert history.loss == expected.loss
    assert ending.asked == [len(history.loss)]
    assert np.array_equal(net.parameters, by_hand.parameters)
    assert history.stop_reason == "it is flat"


def test_a_run_may_go_on_after_a_plateau_with_another_learning_rate(backend: Any, data: Data) -> None:
    class Smaller(Ending):
        def on_plateau(self, state: Any) -> str | None:
            state.optimizer.learning_rate /= 5
            return super().on_plateau(state)

    smaller = Smaller(Plateau(1e-3, 2), None)
    _, history = train(backend, data, smaller, optimizer=fastmlp.SGD(0.1))
    assert len(history.loss) == 300
    assert len(smaller.asked) > 1
    first = smaller.asked[0]
    assert history.learning_rate[:first] == [0.1] * first
    assert history.learning_rate[first] == 0.1 / 5


def test_the_count_goes_on_from_run_to_run(backend: Any, data: Data) -> None:
    net, optimizer, rng = backend([2, 5, 1], random_state=0), fastmlp.Adam(0.02), np.random.default_rng(0)
    ending, losses = Ending(Plateau(1e-3, 3)), list[float]()
    while not ending.asked:
        arguments = {"batch_size": 8, "optimizer": optimizer, "random_state": rng}
        losses += net.train(*data, epochs=7, callbacks=[ending], **arguments).loss
    _, whole = train(backend, data, Ending(Plateau(1e-3, 3)), optimizer=fastmlp.Adam(0.02))
    assert losses == whole.loss


def test_two_plateaus_and_a_callback_of_every_epoch_are_all_heard(backend: Any, data: Data) -> None:
    class Counter:
        epochs = 0

        def on_epoch_end(self, state: Any) -> None:
            self.epochs += 1

    early, late, counter = Ending(Plateau(1e-2, 2), None), Ending(Plateau(1e-3, 3)), Counter()
    net = backend([2, 5, 1], random_state=0)
    arguments = {"epochs": 300, "batch_size": 8, "random_state": 0, "optimizer": fastmlp.Adam(0.02)}
    history = net.train(*data, callbacks=[early, late, counter], **arguments)
    assert history.stop_reason == "it is flat"
    assert late.asked == [len(history.loss)]
    assert early.asked[0] < late.asked[0]
    assert counter.epochs == len(history.loss)


def test_a_users_own_loss_is_watched_too(data: Data) -> None:
    def half_square(Y_hat: Array, Y: Array) -> tuple[Array, Array]:
        return ((Y_hat - Y) ** 2 / 2).sum(axis=1), Y_hat - Y

    ending = Ending(Plateau(1e-2, 2))
    _, history = train(fastmlp.Network, data, ending, loss=half_square)
    assert ending.asked == [len(history.loss)]


@pytest.mark.parametrize(
    ("losses", "tolerance", "patience", "ends"),
    [
        ([3.0, 2.0, 1.0], 0.0, 0, [False, False, False]),
        ([3.0, 3.0, 3.0], 0.0, 1, [False, False, False]),  # as low as the best one is no worse
        ([3.0, 3.0, 3.0], 1e-9, 1, [False, False, True]),
        ([3.0, math.nan, math.nan], 0.0, 1, [False, False, True]),
        ([1.0, 2.0, 0.5, 2.0], 0.1, 0, [False, True, False, True]),
    ],
)
def test_what_counts_as_better(losses: list[float], tolerance: float, patience: int, ends: list[bool]) -> None:
    plateau = Plateau(tolerance, patience)
    assert [plateau.add(loss) for loss in losses] == ends
