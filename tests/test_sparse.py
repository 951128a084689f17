"""Sparse inputs: the bits of the dense matrix, clear errors, and a matrix that stays as it was."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.reference.arrays import Array

sparse = pytest.importorskip("scipy.sparse")

# Layer sizes, rows and batch size.
KINDS_OF_STEPS = {
    "few: one row": ([13, 8, 2], 30, 1),
    "few: four rows": ([13, 66, 2], 30, 4),
    "columns, or rows of short vectors": ([3, 4, 2], 40, 32),
    "groups": ([64, 32, 2], 500, 400),
    "rows": ([30, 64, 2], 50, 16),
}


def random_rows(n: int, n_in: int, seed: int = 0, dtype: str = "float64") -> Any:
    """Return sparse rows, some of them empty, with about three of ten elements."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n_in)) * (rng.random((n, n_in)) < 0.3) * (rng.random((n, 1)) < 0.9)
    return sparse.csr_array(X.astype(dtype))


def targets(n: int, n_out: int = 2) -> Array:
    return np.random.default_rng(1).standard_normal((n, n_out))


def assert_same_training(
    backend: Any,
    sizes: list[int],
    S: Any,
    Y: Array,
    *,
    dtype: str = "float32",
    validation_data: Any = None,
    **arguments: Any,
) -> None:
    """Train on S, and validate with sparse data; then with the same ones dense: every number must be the same."""
    nets, histories = [], []
    for X in (S, S.toarray()):
        if X is not S and isinstance(validation_data, tuple):
            validation_data = (validation_data[0].toarray(), *validation_data[1:])
        net = backend(sizes, dtype=dtype, random_state=0)
        given = {"epochs": 3, "random_state": 5, **copy.deepcopy(arguments)}  # a run changes its optimizer
        histories.append(net.train(X, Y, validation_data=validation_data, **given))
        nets.append(net)
    assert np.array_equal(nets[0].parameters, nets[1].parameters)
    assert not np.array_equal(nets[0].parameters, backend(sizes, dtype=dtype, random_state=0).parameters)
    assert histories[0].loss == histories[1].loss
    assert histories[0].validation_loss == histories[1].validation_loss
    assert histories[0].metrics == histories[1].metrics
    assert histories[0].stop_reason == histories[1].stop_reason


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS_OF_STEPS)
def test_training_gives_the_bits_of_the_dense_matrix(backend: Any, kind: str, dtype: str) -> None:
    sizes, n, batch_size = KINDS_OF_STEPS[kind]
    if backend is fastmlp.Network:
        assert backend(sizes, dtype=dtype)._core.kind_of_steps(batch_size, False) in kind
    S, Y, weight = random_rows(n, sizes[0]), targets(n), np.random.default_rng(2).uniform(0.1, 1, n)
    data = (random_rows(9, sizes[0], 3), targets(9), weight[:9])
    for arguments in (
        {},
        {"shuffle": False, "batch_size": None},
        {"sample_weight": weight, "validation_data": data},
        {"n_threads": 1, "optimizer": fastmlp.SGD(0.01, l2=0.1)},
    ):
        assert_same_training(backend, sizes, S, Y, **{"dtype": dtype, "batch_size": batch_size, **arguments})


@pytest.mark.parametrize("kind", KINDS_OF_STEPS)
def test_dropout_metrics_and_rows_held_out(backend: Any, kind: str) -> None:
    sizes, n, batch_size = KINDS_OF_STEPS[kind]
    assert_same_training(
        backend,
        sizes,
        random_rows(n, sizes[0]),
        targets(n),
        batch_size=batch_size,
        dropout=0.3,
        metrics=["r2", "gradient_norm"],
        validation_data=0.4,
    )


def test_any_number_of_threads_gives_the_same_bits(simd: str) -> None:
    S, Y = random_rows(4000, 300), targets(4000)
    ends = []
    for n_threads in (1, 2, 3):
        net = fastmlp.Network([300, 64, 2], random_state=0)
        net.train(S, Y, epochs=2, batch_size=1000, n_threads=n_threads, random_state=0)
        ends.append((net.parameters, net.predict(S, n_threads)))
    for parameters, Y_hat in ends[1:]:
        assert np.array_equal(parameters, ends[0][0])
        assert np.array_equal(Y_hat, ends[0][1])


def quartic(Y_hat: Array, Y: Array) -> tuple[Array, Array]:
    return ((Y_hat - Y) ** 4).sum(axis=1), 4 * (Y_hat - Y) ** 3


def test_a_loss_of_ones_own(backend: Any) -> None:
    S, Y = random_rows(30, 5), targets(30)
    data = (random_rows(9, 5, 3), targets(9))
    assert_same_training(backend, [5, 4, 2], S, Y, loss=quartic, batch_size=8, validation_data=data)
    assert_same_training(backend, [5, 4, 2], S, Y, loss=quartic, batch_size=8, dropout=0.2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", [fastmlp.LevenbergMarquardt(), fastmlp.LBFGS()], ids=lambda s: type(s).__name__)
def test_solvers(backend: Any, solver: Any, dtype: str) -> None:
    S, Y = random_rows(300, 5), targets(300)
    data = (random_rows(9, 5, 3), targets(9))
    for sample_weight in (None, np.linspace(0.1, 1, 300)):
        assert_same_training(
            backend,
            [5, 4, 2],
            S,
            Y,
            dtype=dtype,
            optimizer=solver,
            sample_weight=sample_weight,
            validation_data=data,
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [0, 1, 3, 70, 700])
def test_predictions_and_derivatives(backend: Any, n: int, dtype: str) -> None:
    net = backend([11, 20, 2], "softsign", dtype=dtype, random_state=0)
    S, Y = random_rows(n, 11), targets(n)
    X = S.toarray()
    assert np.array_equal(net.predict(S), net.predict(X))
    assert np.array_equal(net.predict(S, n_threads=2), net.predict(X))
    assert np.array_equal(net.input_gradients(S), net.input_gradients(X))
    assert np.array_equal(net.jacobian(S), net.jacobian(X))
    for ours, theirs in zip(net.trace(S).A, net.trace(X).A, strict=True):
        assert np.array_equal(ours, theirs)
    if n == 0:
        return
    weight = np.linspace(0.1, 1, n)
    for loss in ("huber", quartic):
        assert net.loss(S, Y, loss, weight) == net.loss(X, Y, loss, weight)
        ours, theirs = net.gradients(S, Y, loss, weight), net.gradients(X, Y, loss, weight)
        assert ours.loss == theirs.loss
        for a, b in zip((*ours.weights, *ours.biases), (*theirs.weights, *theirs.biases), strict=True):
            assert np.array_equal(a, b)
        for a, b in zip(net.trace(S, Y, loss).delta[1:], net.trace(X, Y, loss).delta[1:], strict=True):
            assert np.array_equal(a, b)


def test_links_see_sparse_inputs(backend: Any) -> None:
    net = backend([6, 5, 3], output_activation="softmax", random_state=0)
    S, classes = random_rows(40, 6), np.arange(40) % 3
    assert np.array_equal(net.predict(S), net.predict(S.toarray()))
    assert np.array_equal(net.jacobian(S), net.jacobian(S.toarray()))
    assert net.loss(S, classes, "log_loss") == net.loss(S.toarray(), classes, "log_loss")


def test_what_looks_at_training(backend: Any) -> None:
    S, Y = random_rows(60, 5), targets(60)
    net = backend([5, 4, 2], random_state=0)
    assert fastmlp.check_gradients(net, S, Y).agrees
    ours, theirs = (fastmlp.find_learning_rate(net, X, Y, n_steps=10, random_state=0) for X in (S, S.toarray()))
    assert np.array_equal(ours.losses, theirs.losses)


def test_a_run_that_diverges_says_the_same(backend: Any) -> None:
    S, Y = 1e3 * random_rows(60, 5), targets(60)
    said = []
    for X in (S, S.toarray()):
        net = backend([5, 4, 2], "relu", random_state=0)
        with pytest.warns(fastmlp.DivergenceWarning):
            said.append(net.train(X, Y, epochs=9, optimizer=fastmlp.SGD(1e18), random_state=0).stop_reason)
    assert said[0] == said[1]
    assert "layer" in said[0]


def test_a_run_goes_on_from_a_checkpoint(backend: Any, tmp_path: Path) -> None:
    S, Y = random_rows(60, 5), targets(60)
    arguments: dict[str, Any] = {"batch_size": 8, "validation_data": 0.2, "random_state": 3}
    whole, parts = (backend([5, 4, 2], random_state=0) for _ in range(2))
    whole.train(S, Y, epochs=6, **arguments)
    callbacks = [fastmlp.Checkpoint(tmp_path / "run.safetensors")]
    parts.train(S, Y, epochs=3, callbacks=callbacks, **arguments)
    parts = backend([5, 4, 2], random_state=0)
    parts.train(S, Y, epochs=6, resume=tmp_path / "run.safetensors", callbacks=callbacks, **arguments)
    assert np.array_equal(parts.parameters, whole.parameters)


def with_int64_indices(S: Any) -> Any:
    other = S.copy()
    other.indptr, other.indices = S.indptr.astype(np.int64), S.indices.astype(np.int64)
    return other


def with_mixed_indices(S: Any) -> Any:
    other = S.copy()
    other.indptr = S.indptr.astype(np.int64)
    return other


def with_other_byte_order(S: Any) -> Any:
    other = S.copy()
    other.data = S.data.astype(S.dtype.newbyteorder())
    return other


def with_strided_data(S: Any) -> Any:
    other = S.copy()
    other.data = np.repeat(S.data, 2)[::2]
    return other


def unsorted(S: Any) -> Any:
    """Return the same with the elements of each row in falling order; SciPy is told that they rise."""
    data, indices = S.data.copy(), S.indices.copy()
    for i in range(S.shape[0]):
        row = slice(S.indptr[i], S.indptr[i + 1])
        data[row], indices[row] = data[row][::-1].copy(), indices[row][::-1].copy()
    other = sparse.csr_array((data, indices, S.indptr.copy()), shape=S.shape)
    other.has_sorted_indices = other.has_canonical_format = True
    return other


def with_duplicates(S: Any) -> Any:
    """Return the same with each element as the sum of three."""
    parts = np.stack([S.data + 1, np.full_like(S.data, -1.5), np.full_like(S.data, 0.5)], axis=1).ravel()
    return sparse.csr_array((parts, np.repeat(S.indices, 3), 3 * S.indptr), shape=S.shape)


def with_zeros_kept(S: Any) -> Any:
    dense = S.toarray()
    columns = np.tile(np.arange(S.shape[1]), S.shape[0])
    data = np.where(dense == 0, -0.0, dense).ravel()
    return sparse.csr_array((data, columns, np.arange(S.shape[0] + 1) * S.shape[1]), shape=S.shape)


def with_room_behind(S: Any) -> Any:
    """Return the same in longer arrays, whose rest belongs to no row."""
    other = S.copy()
    other.data = np.append(S.data, [np.inf, -np.inf])
    other.indices = np.append(S.indices, [10**6, -5]).astype(S.indices.dtype)
    return other


FORMS = {
    **{name: (lambda S, name=name: S.asformat(name)) for name in ("csc", "coo", "lil", "dok", "bsr", "dia")},
    "matrix": sparse.csr_matrix,
    "float32": lambda S: S.astype(np.float32),
    "other byte order": with_other_byte_order,
    "int64 indices": with_int64_indices,
    "indices of two widths": with_mixed_indices,
    "strided": with_strided_data,
    "unsorted": unsorted,
    "duplicates": with_duplicates,
    "zeros that are kept": with_zeros_kept,
    "room behind": with_room_behind,
}


def arrays_of(S: Any) -> dict[str, Any]:
    """Return copies of all that a matrix is made of."""
    return {name: (value.copy() if isinstance(value, (np.ndarray, dict)) else value) for name, value in vars(S).items()}


@pytest.mark.parametrize("form", FORMS)
def test_every_format_gives_the_same_result_and_stays_as_it_is(backend: Any, form: str) -> None:
    S = FORMS[form](random_rows(20, 6))
    before, X = arrays_of(S), FORMS[form](random_rows(20, 6)).toarray()
    ours, theirs = (backend([6, 5, 2], random_state=0) for _ in range(2))
    assert np.array_equal(ours.predict(S), theirs.predict(X))
    for net, inputs in ((ours, S), (theirs, X)):
        net.train(inputs, targets(20), epochs=2, batch_size=8, random_state=0)
    assert np.array_equal(ours.parameters, theirs.parameters)
    after = arrays_of(S)
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert np.array_equal(value, after[name]) if isinstance(value, np.ndarray) else repr(value) == repr(after[name])


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64"])
def test_other_numbers_are_converted(backend: Any, dtype: str) -> None:
    net, S = backend([3, 2, 1], random_state=0), sparse.csr_array(np.array([[0, 1, 1], [1, 0, 0]], dtype))
    assert np.array_equal(net.predict(S), net.predict(S.toarray()))


@pytest.mark.parametrize("change", [lambda S: S.astype(np.float64), with_mixed_indices, with_strided_data, str])
def test_the_core_takes_nothing_else(change: Any) -> None:
    net, S = fastmlp.Network([3, 5, 2], random_state=0), random_rows(8, 3, dtype="float32")
    with pytest.raises(TypeError, match="dtype"):
        net._core.predict(change(S), 0)
    with pytest.raises(ValueError, match="X does not fit the network"):
        net._core.predict(S[:, :2], 0)


def test_scipy_is_not_imported() -> None:
    script = "import sys, fastmlp; fastmlp.Network([1, 1]).predict([[1.0]]); print('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"
