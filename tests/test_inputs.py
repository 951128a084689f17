"""What users pass in: right results or clear errors, and nothing changed by a wrong input."""

from __future__ import annotations

import copy
import threading
import time
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.reference.arrays import Array
from fastmlp.reference.optimizers import SGD, Adam

N_IN, N_OUT, N = 3, 2, 8


@pytest.fixture
def X(rng: np.random.Generator) -> Array:
    return rng.standard_normal((N, N_IN)).astype(np.float32)


@pytest.fixture
def Y(rng: np.random.Generator) -> Array:
    return rng.standard_normal((N, N_OUT)).astype(np.float32)


@pytest.fixture
def net(backend: Any) -> Any:
    return backend([N_IN, 5, N_OUT], random_state=0)


LAYOUTS = {
    "float64": lambda a: a.astype(np.float64),
    "Fortran order": np.asfortranarray,
    "strided rows": lambda a: np.repeat(a, 2, axis=0)[::2],
    "strided columns": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "reversed": lambda a: a[::-1].copy()[::-1],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "other byte order": lambda a: a.astype(">f4"),
    "unaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape),
    "list": lambda a: a.astype(np.float64).tolist(),
    "subclass": lambda a: a.view(np.memmap),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_result(net: Any, X: Array, Y: Array, layout: str) -> None:
    change = LAYOUTS[layout]
    assert np.array_equal(net.predict(change(X)), net.predict(X))
    other = net.copy()
    for n, x, y in ((net, X, Y), (other, change(X), change(Y))):
        n.train(x, y, epochs=2, batch_size=3, optimizer=SGD(), random_state=0)
    assert np.array_equal(net.parameters, other.parameters)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16"])
def test_other_numbers_are_converted(net: Any, dtype: str) -> None:
    X = np.array([[0, 1, 1], [1, 0, 1]])
    assert np.array_equal(net.predict(X.astype(dtype)), net.predict(X.astype(np.float32)))


def test_inputs_are_not_written_to(net: Any, X: Array, Y: Array) -> None:
    before = X.copy(), Y.copy()
    net.train(X, Y, epochs=3, batch_size=2)
    net.predict(X)
    assert np.array_equal(X, before[0])
    assert np.array_equal(Y, before[1])


def test_a_single_outputs_targets_may_be_flat(backend: Any, X: Array) -> None:
    net = backend([N_IN, 4, 1], random_state=0)
    y = X[:, 0]
    assert net.loss(X, y) == net.loss(X, y.reshape(-1, 1))


def with_value(a: Array, row: int, column: int, value: float) -> Array:
    changed = a.astype(np.float64)
    changed[row, column] = value
    return changed


BAD_INPUTS: list[tuple[Any, type[Exception], str]] = [
    (lambda X: X[:, :2], ValueError, r"X must have shape \(n, 3\) for a network of 3 input\(s\); got \(8, 2\)"),
    (lambda X: X[0], ValueError, r"got \(3,\); a single row is X.reshape\(1, -1\)"),
    (lambda X: X[None], ValueError, r"got \(1, 8, 3\)"),
    (lambda X: 1.0, ValueError, r"got \(\)"),
    (lambda X: with_value(X, 5, 1, np.nan), ValueError, r"X\[5, 1\] is nan: not a finite number"),
    (lambda X: with_value(X, 7, 2, -np.inf), ValueError, r"X\[7, 2\] is -inf"),
    (lambda X: with_value(X, 0, 0, 1e200), ValueError, r"X\[0, 0\] is 1e\+200: too large for float32"),
    (lambda X: X.astype(object), TypeError, "X must hold real numbers, and its dtype is object"),
    (lambda X: X.astype(str), TypeError, "X must hold real numbers, and its dtype is <U"),
    (lambda X: X + 1j, TypeError, "X must hold real numbers, and its dtype is complex"),
    (lambda X: np.ma.masked_array(X, X > 0), TypeError, "X is a masked array"),
    (lambda X: [[1, 2], [3]], ValueError, "X is no array of numbers"),
    (lambda X: None, TypeError, "X must hold real numbers"),
    (lambda X: X.astype("datetime64[s]"), TypeError, "X must hold real numbers"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD_INPUTS)
def test_bad_inputs_are_named_and_change_nothing(
    net: Any, X: Array, Y: Array, change: Any, error: type[Exception], message: str
) -> None:
    before = net.parameters.copy()
    bad = change(X)
    for call in (
        lambda: net.predict(bad),
        lambda: net.loss(bad, Y),
        lambda: net.gradients(bad, Y),
        lambda: net.trace(bad),
        lambda: net.trace(bad, Y),
        lambda: net.train(bad, Y, epochs=1),
    ):
        with pytest.raises(error, match=message):
            call()
    assert np.array_equal(net.parameters, before)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("row", [0, 1500, 3999])
@pytest.mark.parametrize("optimizer", [SGD, Adam])
@pytest.mark.parametrize(
    ("sizes", "batch_size", "kind"),
    [
        ([64, 48, 2], 30, "rows"),
        ([700, 64, 2], 25, "rows"),
        ([64, 256, 2], 30, "rows"),
        ([64, 48, 2], 100, "groups"),
        ([60, 64, 64, 3], 2000, "groups"),
        ([3, 5, 2], 100, "columns"),
        ([3, 5, 2], 1, "few"),
        ([30, 18, 2], 8, "few"),
    ],
)
def test_a_bad_number_takes_the_steps_before_it_back(
    sizes: list[int], batch_size: int, kind: str, optimizer: Any, row: int, value: float, rng: np.random.Generator
) -> None:
    net = fastmlp.Network(sizes, random_state=0)
    assert net._core.kind_of_steps(batch_size, False) == kind
    X, Y = (rng.standard_normal((4000, n), np.float32) for n in (sizes[0], sizes[-1]))
    rule = optimizer(1e-3)
    arguments: Any = {"epochs": 2, "batch_size": batch_size, "optimizer": rule, "shuffle": False}
    net.train(X, Y, **arguments)
    twin, twins_rule = copy.deepcopy((net, rule))
    bad = X.copy()
    bad[row, 2] = value
    for n_threads in (1, 2):
        with pytest.raises(ValueError, match=rf"X\[{row}, 2\] is {value}: not a finite number"):
            net.train(bad, Y, **arguments, n_threads=n_threads)
    assert rule.steps == twins_rule.steps
    assert np.array_equal(net.parameters, twin.parameters)
    net.train(X, Y, **arguments)
    twin.train(X, Y, **arguments | {"optimizer": twins_rule})
    assert np.array_equal(net.parameters, twin.parameters), "the slots are what they were, too"


def test_a_bad_number_is_named_even_where_the_numbers_before_it_diverge(rng: np.random.Generator) -> None:
    net = fastmlp.Network([64, 48, 2], "relu", random_state=0)
    X, Y = (rng.standard_normal((3000, n), np.float32) for n in (64, 2))
    X[2999, 0] = np.nan
    before = net.parameters.copy()
    with pytest.raises(ValueError, match=r"X\[2999, 0\] is nan"):
        net.train(1e9 * X, Y, epochs=1, batch_size=100, optimizer=SGD(1e9), shuffle=False)
    with pytest.raises(ValueError, match=r"X\[2999, 0\] is nan"):
        net.train(X, Y, epochs=0, batch_size=100, optimizer=SGD(), shuffle=False)
    assert np.array_equal(net.parameters, before)


def test_a_bad_number_is_named_even_where_parameters_overflow_before_it() -> None:
    net = fastmlp.Network([64, 64], output_activation="tanh", random_state=0)
    X, Y = np.full((100_000, 64), 0.1, np.float32), np.ones((100_000, 64), np.float32)
    X[-1, 5] = np.nan
    rule = SGD(1e38, momentum=0.9999)
    net.parameters[:] = 100  # there are no slopes there: the rule has its slots now, and nothing in them
    net.train(X[:10], Y[:10], epochs=1, optimizer=rule, shuffle=False)
    net.parameters[:] = 0.001
    before = net.parameters.copy()
    with pytest.raises(ValueError, match=r"X\[99999, 5\] is nan"):
        net.train(X, Y, epochs=1, batch_size=10, optimizer=rule, shuffle=False)
    assert rule.steps == 1
    assert np.array_equal(net.parameters, before)


@pytest.mark.parametrize(("hidden", "n"), [(800, 300_000), (4000, 6000)])
def test_a_bad_number_at_the_end_of_a_long_epoch_is_named_before_it(hidden: int, n: int) -> None:
    net = fastmlp.Network([100, hidden, hidden, 1], random_state=0)
    X, Y = np.zeros((n, 100), np.float32), np.zeros((n, 1), np.float32)  # seconds, on any processor
    optimizer = SGD()
    net.train(X[:10], Y[:10], epochs=1, optimizer=optimizer, shuffle=False)  # checks it, once and for all
    X[-1, 7] = np.inf
    start = time.perf_counter()
    with pytest.raises(ValueError, match=rf"X\[{n - 1}, 7\] is inf"):
        net.train(X, Y, epochs=1, batch_size=1000, optimizer=optimizer, shuffle=False)
    assert time.perf_counter() - start < 1


def test_other_threads_run_while_a_large_X_is_looked_at() -> None:
    net = fastmlp.Network([100, 8, 1], random_state=0)
    X, Y = np.zeros((2_000_000, 100), np.float32), np.zeros((2_000_000, 1), np.float32)
    optimizer = SGD()
    net.train(X[:10], Y[:10], epochs=1, optimizer=optimizer, shuffle=False)  # checks it, once and for all
    seen, over = [time.perf_counter()], threading.Event()

    def watch() -> None:
        while not over.wait(0.0005):
            seen.append(time.perf_counter())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    for _ in range(5):
        net.train(X, Y, epochs=0, batch_size=1000, optimizer=optimizer, shuffle=False)
    end = time.perf_counter()
    over.set()
    watcher.join()
    between = [start, *(at for at in seen if start < at < end), end]
    assert np.median(np.diff(between)) < (end - start) / 25, "a call holds the GIL for a fifth of that"


BAD_TARGETS: list[tuple[Any, type[Exception], str]] = [
    (lambda Y: Y[:, 0], ValueError, r"Y must have shape \(n, 2\)"),
    (lambda Y: Y[:-1], ValueError, "Y has 7 rows, and X has 8"),
    (lambda Y: Y[:0], ValueError, "Y has 0 rows, and X has 8"),
    (lambda Y: with_value(Y, 3, 1, np.inf), ValueError, r"Y\[3, 1\] is inf"),
    (lambda Y: Y.astype(object), TypeError, "Y must hold real numbers"),
    (lambda Y: ["a", "b"], TypeError, "Y must hold real numbers"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD_TARGETS)
def test_bad_targets_are_named_and_change_nothing(
    net: Any, X: Array, Y: Array, change: Any, error: type[Exception], message: str
) -> None:
    before = net.parameters.copy()
    for call in (net.loss, net.gradients, net.trace, lambda x, y: net.train(x, y, epochs=1)):
        with pytest.raises(error, match=message):
            call(X, change(Y))
    assert np.array_equal(net.parameters, before)


def test_no_rows(net: Any, X: Array, Y: Array) -> None:
    assert net.predict(X[:0]).shape == (0, N_OUT)
    assert net.trace(X[:0]).A[1].shape == (0, 5)
    for call in (net.loss, net.gradients, net.trace, lambda x, y: net.train(x, y, epochs=1)):
        with pytest.raises(ValueError, match="no rows"):
            call(X[:0], Y[:0])


BAD_WEIGHTS: list[tuple[Any, type[Exception], str]] = [
    (np.ones(N - 1), ValueError, r"sample_weight must have shape \(8,\)"),
    (np.ones((N, 1)), ValueError, r"sample_weight must have shape \(8,\), one per row of X; got \(8, 1\)"),
    (np.zeros(N), ValueError, "zero for every row"),
    (-np.ones(N), ValueError, r"sample_weight\[0\] is -1.0: weights are finite and not negative"),
    (np.full(N, np.nan), ValueError, r"sample_weight\[0\] is nan"),
    (["1"] * N, TypeError, "sample_weight must hold real numbers"),
]


@pytest.mark.parametrize(("weight", "error", "message"), BAD_WEIGHTS)
def test_bad_sample_weights(net: Any, X: Array, Y: Array, weight: Any, error: type[Exception], message: str) -> None:
    for call in (
        net.loss,
        net.gradients,
        lambda x, y, sample_weight: net.train(x, y, epochs=1, sample_weight=sample_weight),
    ):
        with pytest.raises(error, match=message):
            call(X, Y, sample_weight=weight)


def test_huge_and_tiny_sample_weights(backend: Any, X: Array, Y: Array) -> None:
    net = backend([N_IN, 5, N_OUT], dtype="float64", random_state=0)
    weight = np.arange(1.0, N + 1)
    losses = [net.loss(X, Y, sample_weight=weight * scale) for scale in (1, 1e300, 1e-300)]
    assert losses == pytest.approx([losses[0]] * 3)


BAD_TRAINING: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"epochs": -1}, ValueError, "epochs must be at least 0, not -1"),
    ({"epochs": 1.5}, TypeError, "epochs must be an integer"),
    ({"batch_size": 0}, ValueError, "batch_size must be at least 1, not 0"),
    ({"batch_size": -5}, ValueError, "batch_size must be at least 1, not -5"),
    ({"batch_size": "all"}, TypeError, "batch_size must be an integer"),
    ({"loss": "squared_eror"}, ValueError, "unknown loss 'squared_eror': did you mean 'squared_error'"),
    ({"optimizer": "adam"}, TypeError, r"optimizer must be an object such as fastmlp.Adam\(\)"),
    ({"optimizer": Adam}, TypeError, "optimizer must be an object"),
    ({"shuffle": "yes"}, TypeError, "shuffle must be True or False"),
    ({"progress": 1}, TypeError, "progress must be True or False"),
    ({"callbacks": 3}, TypeError, "callbacks must be a sequence"),
    ({"n_threads": 2**31}, ValueError, "n_threads must be at most"),
    ({"epochs": 2**63}, ValueError, "epochs must be at most"),
    ({"optimizer": Adam(epsilon=1e-46)}, ValueError, "epsilon=1e-46 is too small for float32"),
    ({"callbacks": [3]}, TypeError, "callback 3 has none of the methods on_train_begin"),
    ({"validation_data": np.ones((2, 3))}, TypeError, r"validation_data must be a pair \(X, Y\)"),
    (
        {"validation_data": (np.ones((2, 3)), np.ones((3, 2)))},
        ValueError,
        r"validation_data\[1\] has 3 rows, and validation_data\[0\] has 2",
    ),
    ({"validation_data": (np.ones((2, 4)), np.ones((2, 2)))}, ValueError, r"validation_data\[0\] must have shape"),
    ({"random_state": 1.5}, TypeError, "random_state must be an integer"),
    ({"n_threads": 0}, ValueError, "n_threads must be at least 1"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_TRAINING)
def test_bad_training_arguments(
    net: Any, X: Array, Y: Array, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    before = net.parameters.copy()
    with pytest.raises(error, match=message):
        net.train(X, Y, **{"epochs": 1, **arguments})
    assert np.array_equal(net.parameters, before)


def test_unknown_loss_anywhere(net: Any, X: Array, Y: Array) -> None:
    for call in (net.loss, net.gradients, net.trace):
        with pytest.raises(ValueError, match="unknown loss 'mse'"):
            call(X, Y, loss="mse")


def test_huge_and_tiny_values(backend: Any) -> None:
    net = backend([1, 1], dtype="float64", init="zeros")
    net.weights[0][:] = 1
    assert net.predict([[1e308]]) == 1e308
    assert net.predict([[5e-324]]) == 5e-324


def test_read_only_parameters_are_not_trained(net: Any, X: Array, Y: Array) -> None:
    before = net.parameters.copy()
    net.parameters.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        net.train(X, Y, epochs=1)
    assert np.array_equal(net.parameters, before)


@pytest.mark.parametrize("arguments", [{"n_threads": 0}, {"callbacks": [3]}, {"epochs": -1}])
def test_a_refused_run_leaves_the_optimizer_as_it_was(net: Any, X: Array, Y: Array, arguments: dict[str, Any]) -> None:
    optimizer = Adam()
    with pytest.raises((ValueError, TypeError)):
        net.train(X, Y, optimizer=optimizer, **{"epochs": 1, **arguments})
    assert optimizer.slots == []
