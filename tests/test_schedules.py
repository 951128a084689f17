"""Schedules: their factors, how runs follow them, and that two runs are one longer run."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import training
from fastmlp.reference.optimizers import SGD, Adam, AdamW, Rprop
from fastmlp.reference.schedules import (
    SCHEDULES,
    Constant,
    CosineRestarts,
    CosLog4,
    Exponential,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
    Step,
    WarmUp,
)

EXAMPLES: list[Schedule] = [
    Constant(0.5),
    Step(3),
    Exponential(),
    InverseScaling(),
    CosineRestarts(3),
    CosineRestarts(2, multiplier=1.5, lowest=0.1),
    OneCycle(8),
    OneCycle(8, annihilation=0.0),
    WarmUp(3),
    WarmUp(2.5, CosineRestarts(2)),
    ReduceOnPlateau(patience=1),
    WarmUp(1, ReduceOnPlateau(patience=1)),
    CosLog4(8),
]


def test_there_is_an_example_of_each() -> None:
    assert {type(schedule) for schedule in EXAMPLES} == set(SCHEDULES)
    assert all(getattr(fastmlp.schedules, kind.__name__) is kind for kind in SCHEDULES)


BY_HAND: list[tuple[Schedule, dict[float, float]]] = [
    (Constant(0.5), {0: 0.5, 7.3: 0.5}),
    (Step(3, 0.1), {0: 1, 2.9: 1, 3: 0.1, 6: 0.01}),
    (Exponential(0.81), {0: 1, 0.5: 0.9, 2: 0.6561}),
    (InverseScaling(2), {0: 1, 1: 0.25, 2: 1 / 9}),
    (CosineRestarts(4), {0: 1, 2: 0.5, 3: (1 - math.sqrt(0.5)) / 2, 4: 1, 8: 1}),
    (CosineRestarts(1, multiplier=2, lowest=0.2), {0: 1, 0.5: 0.6, 1: 1, 2: 0.6, 3: 1, 5: 0.6, 7: 1}),
    (OneCycle(10, 0.2, 0.01, 0.2), {0: 0.2, 2: 0.6, 4: 1, 6: 0.6, 8: 0.2, 9: 0.105, 10: 0.01, 99: 0.01}),
    (WarmUp(4, Step(2, 0.5), start=0.2), {0: 0.2, 2: 0.6, 4: 1, 5.9: 1, 6: 0.5}),
]


@pytest.mark.parametrize(("schedule", "factors"), BY_HAND)
def test_factors_by_hand(schedule: Schedule, factors: dict[float, float]) -> None:
    assert schedule(list(factors)) == pytest.approx(list(factors.values()), abs=1e-12)


def test_coslog4_has_four_periods() -> None:
    schedule = CosLog4(epochs=15)
    assert schedule([0, 1, 3, 7, 15, 20]) == pytest.approx(np.zeros(6), abs=1e-12)
    tops = [2 ** (k + 0.5) - 1 for k in range(4)]
    assert schedule(tops) == pytest.approx(np.ones(4), abs=1e-12)


@pytest.mark.parametrize("schedule", EXAMPLES)
def test_factors_do_not_depend_on_what_else_is_asked(schedule: Schedule) -> None:
    positions = (np.arange(9.0)[:, np.newaxis] + np.arange(7) / 7).ravel()
    whole = schedule(positions)
    assert whole.shape == positions.shape
    assert np.isfinite(whole).all()
    assert (whole >= 0).all()
    for start in (7, 14, 21, 42):
        assert np.array_equal(schedule(positions[start:]), whole[start:])
        assert np.array_equal(schedule(positions[start : start + 7]), whole[start : start + 7])


# A linear neuron without bias, x = 1, y = 0: a step at a rate r multiplies its weight by 1 - r.


def test_every_step_has_its_own_factor(backend: Any) -> None:
    n, epochs = 4, 3
    for batch_size in (1, 2, 4):
        net = backend.from_parameters([[[1.0]]], dtype="float64")
        optimizer = SGD(0.1, schedule=OneCycle(epochs))
        net.train(np.ones((n, 1)), np.zeros((n, 1)), epochs=epochs, batch_size=batch_size, optimizer=optimizer)
        n_batches = n // batch_size
        positions = [e + i / n_batches for e in range(epochs) for i in range(n_batches)]
        assert net.weights[0][0, 0] == pytest.approx(np.prod(1 - 0.1 * OneCycle(epochs)(positions)), rel=1e-12)
        assert optimizer.epochs == epochs


def test_functions_are_called_once_an_epoch(backend: Any) -> None:
    calls: list[int] = []

    def halve(epoch: int) -> float:
        calls.append(epoch)
        return 0.5**epoch

    net = backend.from_parameters([[[1.0]]], dtype="float64")
    optimizer = SGD(0.1, schedule=halve)
    for epochs in (3, 2):
        net.train(np.ones((4, 1)), np.zeros((4, 1)), epochs=epochs, batch_size=2, optimizer=optimizer)
    assert calls == [0, 1, 2, 3, 4]
    assert net.weights[0][0, 0] == pytest.approx(np.prod([(1 - 0.1 * 0.5**e) ** 2 for e in range(5)]), rel=1e-12)


def test_decay_follows_the_schedule(backend: Any) -> None:
    net = backend.from_parameters([[[1.0]]], dtype="float64")
    net.train([[0.0]], [[0.0]], epochs=3, optimizer=SGD(0.1, weight_decay=0.5, schedule=Exponential(0.5)))
    assert net.weights[0][0, 0] == pytest.approx((1 - 0.05) * (1 - 0.025) * (1 - 0.0125), rel=1e-12)


@pytest.mark.parametrize("batch_size", [None, 1, 4])
@pytest.mark.parametrize("schedule", EXAMPLES)
def test_two_runs_are_one(backend: Any, schedule: Schedule, batch_size: int | None, rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((10, 3)), rng.standard_normal((10, 2))
    ends = []
    for runs in ([8], [3, 5]):
        net = backend([3, 4, 2], dtype="float64", random_state=0)
        optimizer = AdamW(0.05, schedule=copy.deepcopy(schedule))
        for epochs in runs:
            net.train(X, Y, epochs=epochs, batch_size=batch_size, optimizer=optimizer, shuffle=False)
            optimizer = pickle.loads(pickle.dumps(optimizer))
        ends.append((net.parameters.tobytes(), optimizer.epochs, optimizer.steps))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("schedule", EXAMPLES)
def test_the_core_and_the_reference_agree(simd: str, schedule: Schedule, rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((103, 5)), rng.standard_normal((103, 3))
    for sizes, batch_size in (([5, 7, 3], 1), ([5, 7, 3], 20), ([5, 70, 3], 20)):
        ends = []
        for network in (fastmlp.Network, fastmlp.reference.Network):
            net = network(sizes, dtype="float64", random_state=0)
            optimizer = Adam(0.01, schedule=copy.deepcopy(schedule))
            validation = (X[:10], Y[:10])
            net.train(
                X, Y, epochs=8, batch_size=batch_size, optimizer=optimizer, random_state=1, validation_data=validation
            )
            ends.append(net.parameters)
        assert ends[0] == pytest.approx(ends[1], rel=1e-8, abs=1e-10)


def test_a_plateau_reduces_the_rate(backend: Any) -> None:
    # The rate is so small that the loss of 0.5 hardly falls: less than min_delta in each epoch.
    schedule = ReduceOnPlateau(0.5, patience=2, min_delta=0.01, lowest=0.2)
    optimizer = SGD(1e-3, schedule=schedule)
    net, rates = backend.from_parameters([[[1.0]]], dtype="float64"), []

    class Watch:
        def on_epoch_end(self, state: Any) -> None:
            rates.append(schedule.current)

    net.train([[1.0]], [[0.0]], epochs=8, optimizer=optimizer, callbacks=[Watch()])
    assert rates == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2]
    assert net.weights[0][0, 0] == pytest.approx(
        np.prod([1 - 1e-3 * f for f in (1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.2)]), rel=1e-12
    )


def test_a_plateau_is_judged_by_the_validation_loss(backend: Any) -> None:
    # The training loss falls quickly, the validation loss rises.
    schedule = ReduceOnPlateau(0.5, patience=2)
    net = backend.from_parameters([[[1.0]]], dtype="float64")
    net.train([[1.0]], [[0.0]], epochs=5, optimizer=SGD(0.1, schedule=schedule), validation_data=([[1.0]], [[9.0]]))
    assert schedule.current == 0.25
    schedule.reset()
    net.train([[1.0]], [[0.0]], epochs=5, optimizer=SGD(0.1, schedule=schedule))
    assert schedule.current == 1


def test_a_better_loss_ends_the_wait() -> None:
    schedule = ReduceOnPlateau(0.5, patience=2)
    for epoch, loss in enumerate([math.nan, 3, 4, 2, 4, math.nan, 1.0], start=1):
        schedule.end_epoch(epoch, loss)
    assert schedule.state() == {"current": 0.5, "best": 1.0, "waited": 0}


def test_a_plateau_during_the_warm_up_does_not_count() -> None:
    schedule = WarmUp(3, ReduceOnPlateau(0.5, patience=1))
    for epoch in range(1, 4):
        schedule.end_epoch(epoch, 1.0)
    assert schedule.state() == {"current": 1.0, "best": None, "waited": 0}
    schedule.end_epoch(4, 1.0)
    schedule.end_epoch(5, 1.0)
    assert schedule.state() == {"current": 0.5, "best": 1.0, "waited": 0}


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_remember_by_themselves(duplicate: Any) -> None:
    optimizer = SGD(0.1, schedule=WarmUp(1, ReduceOnPlateau(patience=1)))
    other = duplicate(optimizer)
    optimizer.end_epochs([1.0, 1.0, 1.0])
    assert optimizer.schedule.state()["best"] == 1.0  # type: ignore[union-attr]
    assert other.schedule.state()["best"] is None
    assert (optimizer.epochs, other.epochs) == (3, 0)
    optimizer.reset()
    assert optimizer == other


@pytest.mark.parametrize("make", [lambda: Adam(schedule=ReduceOnPlateau(patience=1)), lambda: SGD(0.1), Rprop])
def test_the_state_goes_through_json_and_arrays(backend: Any, make: Any, rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((10, 3)), rng.standard_normal((10, 2))
    net, optimizer = backend([3, 4, 2], random_state=0), make()
    net.train(X, Y, epochs=4, optimizer=optimizer)
    state = optimizer.state()
    slots = {name: slot.copy() for name, slot in state.pop("slots").items()}
    restored = make()
    restored.load_state({**json.loads(json.dumps(state)), "slots": slots})
    twin = net.copy()
    net.train(X, Y, epochs=4, optimizer=optimizer)
    twin.train(X, Y, epochs=4, optimizer=restored)
    assert np.array_equal(net.parameters, twin.parameters)
    assert restored == optimizer


def test_the_state_of_something_else_is_refused() -> None:
    optimizer = Adam(schedule=ReduceOnPlateau())
    with pytest.raises(ValueError, match=r"has slots \['m', 'v'\], and not \['velocity'\]"):
        optimizer.load_state({**optimizer.state(), "slots": {"velocity": np.zeros(3)}})
    with pytest.raises(ValueError, match="there is no schedule"):
        Adam().load_state(optimizer.state())
    with pytest.raises(ValueError, match="ReduceOnPlateau"):
        optimizer.load_state(Adam().state())
    assert optimizer == Adam(schedule=ReduceOnPlateau())


def test_rates_at_the_ends_of_epochs() -> None:
    optimizer = SGD(0.5, schedule=Exponential(0.5))
    assert optimizer.end_epochs([3.0, 2.0], [0.5, 0.25]) == [0.25, 0.125]
    assert SGD(0.5).end_epochs([3.0, 2.0]) == [0.5, 0.5]


def test_long_runs_are_cut_into_stretches(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((10, 3)), rng.standard_normal((10, 2))
    ends = []
    for most in (1_000_000, 12, 1):
        monkeypatch.setattr(training, "MOST_FACTORS", most)
        net, optimizer = fastmlp.Network([3, 4, 2], random_state=0), Adam(0.01, schedule=CosineRestarts(3))
        history = net.train(X, Y, epochs=9, batch_size=2, optimizer=optimizer, random_state=0)
        assert len(history.loss) == 9
        ends.append((net.parameters.tobytes(), history.loss, optimizer.steps, optimizer.epochs))
    assert ends[0] == ends[1] == ends[2]


@pytest.mark.parametrize("schedule", [Exponential(0.5), ReduceOnPlateau()])
def test_a_callback_stops_a_scheduled_run(backend: Any, schedule: Schedule) -> None:
    class Stop:
        def on_epoch_end(self, state: Any) -> bool:
            return bool(state.epoch == 3)

    optimizer = SGD(0.1, schedule=schedule)
    history = backend([1, 1]).train([[1.0]], [[0.0]], epochs=9, optimizer=optimizer, callbacks=[Stop()])
    assert len(history.loss) == optimizer.epochs == optimizer.steps == 3


def test_a_learning_rate_set_by_a_callback_is_what_the_schedule_scales(backend: Any) -> None:
    class Halve:
        def on_epoch_end(self, state: Any) -> None:
            optimizer.learning_rate /= 2

    optimizer = SGD(0.1, schedule=Constant(0.5))
    net = backend.from_parameters([[[1.0]]], dtype="float64")
    net.train([[1.0]], [[0.0]], epochs=2, optimizer=optimizer, callbacks=[Halve()])
    assert net.weights[0][0, 0] == pytest.approx((1 - 0.05) * (1 - 0.025), rel=1e-12)


BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: Constant(-1), ValueError, "factor must lie in"),
    (lambda: Step(0), ValueError, r"every must lie in \(0, inf\), not 0"),
    (lambda: Step(1, 0), ValueError, "factor must lie in"),
    (lambda: Exponential("fast"), TypeError, "factor must be a number"),  # type: ignore[arg-type]
    (lambda: InverseScaling(-1), ValueError, "power must lie in"),
    (lambda: CosineRestarts(0), ValueError, "period must lie in"),
    (lambda: CosineRestarts(1, 0.5), ValueError, "multiplier must be at least 1"),
    (lambda: CosineRestarts(1, 1, 1), ValueError, "lowest must lie in"),
    (lambda: OneCycle(0), ValueError, "epochs must lie in"),
    (lambda: OneCycle(1, 0), ValueError, "start must lie in"),
    (lambda: OneCycle(1, 0.1, -1), ValueError, "final must lie in"),
    (lambda: OneCycle(1, annihilation=1), ValueError, "annihilation must lie in"),
    (lambda: WarmUp(0), ValueError, "epochs must lie in"),
    (lambda: WarmUp(1, lambda epoch: 1), TypeError, "then must be one of fastmlp.schedules"),  # type: ignore[arg-type]
    (lambda: WarmUp(1, start=1), ValueError, "start must lie in"),
    (lambda: ReduceOnPlateau(1), ValueError, "factor must lie in"),
    (lambda: ReduceOnPlateau(patience=0), ValueError, "patience must be at least 1"),
    (lambda: ReduceOnPlateau(min_delta=-1), ValueError, "min_delta must lie in"),
    (lambda: ReduceOnPlateau(lowest=1), ValueError, "lowest must lie in"),
    (lambda: CosLog4(-1), ValueError, "epochs must lie in"),
    (lambda: SGD(schedule=0.5), TypeError, "schedule must be one of fastmlp.schedules"),  # type: ignore[arg-type]
    (lambda: Rprop(schedule=Constant()), ValueError, "Rprop has no use for schedule"),
]


@pytest.mark.parametrize(("make", "error", "message"), BAD)
def test_bad_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(("factor", "error"), [(-1.0, ValueError), (math.nan, ValueError), ("x", TypeError)])
def test_a_function_that_gives_no_factor(backend: Any, factor: Any, error: type[Exception]) -> None:
    net = backend([1, 1])
    before = net.parameters.copy()
    with pytest.raises(error, match="the schedule's factor of epoch 0 must"):
        net.train([[1.0]], [[0.0]], epochs=2, optimizer=SGD(0.1, schedule=lambda epoch: factor))
    assert np.array_equal(net.parameters, before)


def test_the_history_has_the_rates_of_each_epochs_last_step(backend: Any) -> None:
    net, X, Y = backend([1, 1], bias=False), np.ones((4, 1)), np.zeros((4, 1))
    history = net.train(X, Y, epochs=3, batch_size=2, optimizer=SGD(0.1, schedule=Exponential(0.25)))
    assert history.learning_rate == pytest.approx([0.1 * 0.25**t for t in (0.5, 1.5, 2.5)], rel=1e-14)
    optimizer = SGD(0.1, schedule=ReduceOnPlateau(0.5, patience=1))
    history = net.train(X, Y, epochs=4, optimizer=optimizer, validation_data=([[0.0]], [[1.0]]))
    assert history.learning_rate == pytest.approx([0.1, 0.1, 0.05, 0.025], rel=1e-14)


def test_what_a_schedule_remembers_is_no_argument_of_it() -> None:
    schedule = ReduceOnPlateau(patience=1)
    before = repr(schedule)
    schedule.end_epoch(1, 1.0)
    assert repr(schedule) == before == "ReduceOnPlateau(factor=0.1, patience=1, min_delta=0.0, lowest=0.0)"


def test_a_function_is_asked_as_the_epochs_come(backend: Any) -> None:
    asked: list[float] = []

    class Counter:
        def on_epoch_end(self, state: Any) -> None:
            assert len(asked) == state.epoch

    def schedule(epoch: int) -> float:
        asked.append(epoch)
        return 1.0

    backend([1, 1]).train([[1.0]], [1.0], epochs=4, optimizer=SGD(0.1, schedule=schedule), callbacks=[Counter()])
    assert asked == [0, 1, 2, 3]


def test_many_restarts_are_no_slower_than_few() -> None:
    schedule = fastmlp.schedules.CosineRestarts(1, multiplier=1.00001)
    assert schedule(np.array([0.0, 30_000.5])).shape == (2,)


def test_single_numbers_have_factors_too() -> None:
    for schedule in (fastmlp.schedules.WarmUp(4), fastmlp.schedules.CosineRestarts(4), fastmlp.schedules.OneCycle(4)):
        assert 0 <= float(schedule(2.0)) <= 1
