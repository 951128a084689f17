"""Calls in which nothing has to be converted, drawn or watched skip Python's checks: nobody else can tell.

An optimizer is checked in its first call, so the second one with the same object is the first plain one.
"""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.reference.arrays import Array, has_room
from fastmlp.reference.optimizers import RULES

Data = tuple[Array, Array]


@pytest.fixture(params=["float32", "float64"])
def data(request: pytest.FixtureRequest, rng: np.random.Generator) -> Data:
    return tuple(rng.standard_normal((12, n)).astype(request.param) for n in (3, 2))


def make_network(dtype: Any) -> fastmlp.Network:
    return fastmlp.Network([3, 4, 2], dtype=dtype, random_state=0)


def train_plainly(net: fastmlp.Network, data: Data, optimizer: object, **changed: Any) -> Any:
    """Call the core's plain path as Network.train does."""
    arguments: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 5,
        "optimizer": optimizer,
        "loss": "squared_error",
        "shuffle": False,
        "sample_weight": None,
        "validation_data": None,
        "callbacks": (),
        "progress": False,
        "random_state": None,
        "n_threads": 1,
        "metrics": (),
        "dropout": 0.0,
        "max_time": None,
        "resume": None,
    }
    return net._core.train_if_plain(*data, *(arguments | changed).values())


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if not rule.FULL_BATCH])
def test_they_have_the_bits_of_checked_calls(simd: str, rule: str, data: Data) -> None:
    ends = []
    for plain in (False, True):
        net, optimizer = make_network(data[0].dtype), copy.deepcopy(RULES[rule])
        losses = []
        for _ in range(3):
            if plain:
                history = net.train(*data, epochs=2, batch_size=5, optimizer=optimizer, shuffle=False)
            else:
                weights = np.ones(len(data[0]))  # for which there is no plain path
                history = net.train(
                    *data, epochs=2, batch_size=5, optimizer=optimizer, shuffle=False, sample_weight=weights
                )
            losses += history.loss
            assert history.stop_reason == "all epochs done"
            assert history.seconds > 0
        assert train_plainly(net, data, optimizer) is not None
        slots = [slot.tobytes() for slot in optimizer.slots]
        ends.append((losses, net.parameters.tobytes(), slots, optimizer.steps))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("optimizer", [fastmlp.Rprop(), fastmlp.SGD(schedule=fastmlp.schedules.Constant())])
def test_rules_that_compare_losses_and_schedules_have_no_plain_path(optimizer: Any, data: Data) -> None:
    net = make_network(data[0].dtype)
    net.train(*data, epochs=1, optimizer=optimizer)
    assert train_plainly(net, data, optimizer, batch_size=None) is None
    optimizer.reset()


def test_the_first_call_with_an_optimizer_checks_it(data: Data) -> None:
    net, optimizer = make_network(data[0].dtype), fastmlp.Adam()
    assert train_plainly(net, data, optimizer) is None
    assert train_plainly(net, data, None) is None
    assert train_plainly(net, data, "adam") is None
    net.train(*data, epochs=1, optimizer=optimizer)
    losses, rates, seconds, divergence = train_plainly(net, data, optimizer)
    assert len(losses) == 2
    assert rates == [optimizer.learning_rate] * 2
    assert seconds > 0
    assert divergence is None


NOT_PLAIN: dict[str, Any] = {
    "epochs": [-1, 2.0, True, np.int64(2), "2", None],
    "batch_size": [0, -1, 5.0, True],
    "loss": ["squared_err", None, 1],
    "shuffle": [True, 1, None],
    "sample_weight": [np.ones(12), [1.0] * 12],
    "validation_data": [(1, 2), 0],
    "callbacks": [[], [print], None],
    "progress": [True, None],
    "random_state": [0, np.random.default_rng(0)],
    "n_threads": [0, -1, 1e3, True, 2000],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in NOT_PLAIN.items() for value in values])
def test_whatever_is_not_plain_is_left_to_the_checks(name: str, value: Any, data: Data) -> None:
    net, optimizer = make_network(data[0].dtype), fastmlp.SGD()
    net.train(*data, epochs=1, optimizer=optimizer)
    before, steps = net.parameters.copy(), optimizer.steps
    assert train_plainly(net, data, optimizer) is not None
    net.parameters[:] = before
    optimizer.steps = steps
    assert train_plainly(net, data, optimizer, **{name: value}) is None
    assert np.array_equal(net.parameters, before)
    assert optimizer.steps == steps


BAD_DATA: dict[str, Callable[[Array, Array], tuple[Any, Any]]] = {
    "a list": lambda X, Y: (X.tolist(), Y),
    "nothing": lambda X, Y: (None, Y),
    "too few columns": lambda X, Y: (X[:, :2].copy(), Y),
    "a vector": lambda X, Y: (X, Y[:, 0].copy()),
    "other rows": lambda X, Y: (X, Y[:5]),
    "no rows": lambda X, Y: (X[:0], Y[:0]),
    "another dtype": lambda X, Y: (X.astype("int32"), Y),
    "another byte order": lambda X, Y: (X.astype(X.dtype.newbyteorder()), Y),
    "strides": lambda X, Y: (X[::2], Y[::2]),
    "columns first": lambda X, Y: (np.asfortranarray(X), Y),
    "a masked array": lambda X, Y: (np.ma.masked_array(X), Y),
    "NaN": lambda X, Y: (X, np.where(np.arange(24).reshape(12, 2) == 23, np.nan, Y).astype(Y.dtype)),
    "inf": lambda X, Y: (np.where(np.arange(36).reshape(12, 3) == 0, np.inf, X).astype(X.dtype), Y),
}


@pytest.mark.parametrize("what", BAD_DATA)
def test_so_is_data_that_cannot_be_read_where_it_lies(what: str, data: Data) -> None:
    net, optimizer = make_network(data[0].dtype), fastmlp.SGD()
    net.train(*data, epochs=1, optimizer=optimizer)
    X, Y = BAD_DATA[what](*data)
    assert train_plainly(net, (X, Y), optimizer) is None
    assert not net._core.can_read(X, Y)


CHANGES: dict[str, Callable[[Any], None]] = {
    "learning_rate": lambda optimizer: setattr(optimizer, "learning_rate", 0.5),
    "beta_1": lambda optimizer: setattr(optimizer, "beta_1", 0.5),
    "l2": lambda optimizer: setattr(optimizer, "l2", 0.5),
    "schedule": lambda optimizer: setattr(optimizer, "schedule", fastmlp.schedules.Constant()),
    "another slot": lambda optimizer: optimizer.slots.__setitem__(0, optimizer.slots[0].astype("float16")),
    "a shorter slot": lambda optimizer: optimizer.slots.__setitem__(0, optimizer.slots[0][1:].copy()),
    "a slot to read": lambda optimizer: optimizer.slots[0].setflags(write=False),
    "one slot less": lambda optimizer: optimizer.slots.pop(),
    "a slot more": lambda optimizer: optimizer.slots.append(optimizer.slots[0]),
    "no slots": lambda optimizer: optimizer.slots.clear(),
    "other slots": lambda optimizer: setattr(optimizer, "slots", [s.copy() for s in optimizer.slots]),
    "reset": lambda optimizer: optimizer.reset(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_optimizer_is_checked_again(change: str, data: Data) -> None:
    net, optimizer = make_network(data[0].dtype), fastmlp.Adam()
    net.train(*data, epochs=1, optimizer=optimizer)
    CHANGES[change](optimizer)
    assert train_plainly(net, data, optimizer) is None


def test_a_new_learning_rate_counts_at_once(data: Data) -> None:
    ends = []
    for rates in ([0.1, 0.1, 0.3, 0.3], [0.1, 0.1, 0.1, 0.3]):
        net, optimizer = make_network(data[0].dtype), fastmlp.SGD()
        for rate in rates:
            optimizer.learning_rate = rate
            net.train(*data, epochs=1, optimizer=optimizer)
        ends.append(net.parameters.tobytes())
    assert ends[0] != ends[1]
    optimizer.learning_rate = -1
    with pytest.raises(ValueError, match="learning_rate"):
        net.train(*data, epochs=1, optimizer=optimizer)


def test_an_optimizer_of_another_dtype_is_refused(data: Data) -> None:
    X, Y = data
    net, optimizer = make_network(X.dtype), fastmlp.SGD(momentum=0.9)
    net.train(X, Y, epochs=1, optimizer=optimizer)
    other = "float64" if X.dtype == np.float32 else "float32"
    other_net, other_data = make_network(other), (X.astype(other), Y.astype(other))
    assert train_plainly(other_net, other_data, optimizer) is None
    with pytest.raises(ValueError, match="holds the state"):
        other_net.train(*other_data, epochs=1, optimizer=optimizer)


def test_subclasses_may_mean_more_and_are_asked_each_time(data: Data) -> None:
    class Decaying(fastmlp.SGD):
        def hyperparameters(self) -> list[float]:
            return [self.learning_rate / (1 + self.steps), self.momentum]

    optimizer, net, other = Decaying(0.5), make_network(data[0].dtype), make_network(data[0].dtype)
    for step in range(3):
        net.train(*data, epochs=1, optimizer=optimizer)
        other.train(*data, epochs=1, optimizer=fastmlp.SGD(0.5 / (1 + step)))
    assert np.array_equal(net.parameters, other.parameters)


@pytest.mark.parametrize("rule", RULES)
def test_a_checked_optimizer_can_be_copied_and_pickled(rule: str, data: Data) -> None:
    optimizer, net = copy.deepcopy(RULES[rule]), make_network(data[0].dtype)
    net.train(*data, epochs=1, optimizer=optimizer)
    for other in (copy.copy(optimizer), copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert other == optimizer
        assert train_plainly(net.copy(), data, other) is None
        net.copy().train(*data, epochs=1, optimizer=other)


def test_an_optimizer_can_be_told_as_a_dictionary_and_by_its_fields(data: Data) -> None:
    optimizer, before = fastmlp.SGD(), dataclasses.asdict(fastmlp.SGD())
    make_network(data[0].dtype).train(*data, epochs=3, optimizer=optimizer)
    assert dataclasses.asdict(optimizer) == {**before, "steps": 3}


def test_slots_from_elsewhere_get_a_place_where_whole_vectors_can_be_written(data: Data) -> None:
    net, optimizer = make_network(data[0].dtype), fastmlp.Adam()
    twin, other = make_network(data[0].dtype), fastmlp.Adam()
    for _ in range(3):
        optimizer.slots = [slot.copy() for slot in optimizer.slots]
        assert not any(map(has_room, optimizer.slots))
        net.train(*data, epochs=1, optimizer=optimizer)
        twin.train(*data, epochs=1, optimizer=other)
        assert all(map(has_room, optimizer.slots))
    assert np.array_equal(net.parameters, twin.parameters)
    assert all(np.array_equal(a, b) for a, b in zip(optimizer.slots, other.slots, strict=True))


def test_slots_that_are_held_but_not_used_still_belong_to_their_network(data: Data) -> None:
    net, optimizer = make_network(data[0].dtype), fastmlp.SGD(momentum=0.9)
    net.train(*data, epochs=1, optimizer=optimizer)
    optimizer.momentum = 0.0
    net.train(*data, epochs=1, optimizer=optimizer)
    with pytest.raises(ValueError, match="holds the state"):
        fastmlp.Network([3, 5, 2], dtype=data[0].dtype).train(*data, epochs=1, optimizer=optimizer)


def test_what_only_looks_like_an_optimizer_is_refused(data: Data) -> None:
    class Proxy:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    net, optimizer = make_network(data[0].dtype), fastmlp.SGD()
    net.train(*data, epochs=1, optimizer=optimizer)
    assert train_plainly(net, data, Proxy(optimizer)) is None
    optimizer.steps = None  # type: ignore[assignment]  # what no run leaves
    assert train_plainly(net, data, optimizer) is None


def test_a_callback_that_puts_a_number_back_leaves_the_rule_as_it_was(data: Data) -> None:
    class Warm:
        def on_epoch_end(self, state: Any) -> None:
            optimizer.learning_rate = 10 * rate

        def on_train_end(self, state: Any) -> None:
            optimizer.learning_rate = rate

    rate = 0.01
    optimizer, net = fastmlp.SGD(rate), make_network(data[0].dtype)
    net.train(*data, epochs=2, optimizer=optimizer, callbacks=[Warm()])
    other = net.copy()
    net.train(*data, epochs=1, optimizer=optimizer)
    other.train(*data, epochs=1, optimizer=fastmlp.SGD(rate))
    assert np.array_equal(net.parameters, other.parameters)


def test_read_only_parameters_are_refused(data: Data) -> None:
    net, optimizer = make_network(data[0].dtype), fastmlp.SGD()
    net.train(*data, epochs=1, optimizer=optimizer)
    net.parameters.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        net.train(*data, epochs=1, optimizer=optimizer)


def test_an_object_that_was_never_initialised_is_an_error(data: Data) -> None:
    kind = type(make_network(data[0].dtype)._core)
    with pytest.raises(TypeError, match="never initialised"):
        kind.__new__(kind).predict_if_plain(data[0])
    with pytest.raises(TypeError, match="all arguments"):
        make_network(data[0].dtype)._core.train_if_plain(*data)
