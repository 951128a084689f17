"""Sparse inputs that are wrong: what is wrong is named, nothing is changed, and the core reads no damaged matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.reference.arrays import Array

sparse = pytest.importorskip("scipy.sparse")

TARGETS = np.linspace(-1, 1, 16).reshape(8, 2)


def with_value(row: int, column: int, value: float) -> Any:
    X = np.ones((8, 3))
    X[row, column] = value
    return sparse.csr_array(X)


BAD_MATRICES: list[tuple[Any, type[Exception], str]] = [
    (sparse.csr_array((8, 2)), ValueError, r"X must have shape \(n, 3\) for a network of 3 input\(s\); got \(8, 2\)"),
    (sparse.csr_array((8, 3), dtype=complex), TypeError, "X must hold real numbers, and its dtype is complex128"),
    (with_value(5, 1, np.nan), ValueError, r"X\[5, 1\] is nan: not a finite number"),
    (with_value(0, 0, -np.inf), ValueError, r"X\[0, 0\] is -inf"),
    (with_value(7, 2, 1e200), ValueError, r"X\[7, 2\] is 1e\+200: too large for float32"),
    (with_value(7, 2, np.inf).tocsc(), ValueError, r"X\[7, 2\] is inf"),
]


@pytest.mark.parametrize(("bad", "error", "message"), BAD_MATRICES)
def test_bad_matrices_are_named_and_change_nothing(
    backend: Any, bad: Any, error: type[Exception], message: str
) -> None:
    net, Y = backend([3, 5, 2], random_state=0), TARGETS
    before = net.parameters.copy()
    for call in (
        lambda: net.predict(bad),
        lambda: net.loss(bad, Y),
        lambda: net.gradients(bad, Y),
        lambda: net.input_gradients(bad),
        lambda: net.train(bad, Y, epochs=1),
    ):
        with pytest.raises(error, match=message):
            call()
    assert np.array_equal(net.parameters, before)


def test_validation_data_are_named(backend: Any) -> None:
    net, S, Y = backend([3, 5, 2], random_state=0), with_value(0, 0, 2.0), TARGETS
    with pytest.raises(ValueError, match=r"validation_data\[0\]\[5, 1\] is nan"):
        net.train(S, Y, epochs=1, validation_data=(with_value(5, 1, np.nan), Y))
    with pytest.raises(ValueError, match=r"validation_data\[1\] has 8 rows, and validation_data\[0\] has 5"):
        net.train(S, Y, epochs=1, validation_data=(S[:5], Y))


def test_targets_are_dense(backend: Any) -> None:
    net, S = backend([3, 5, 2], "tanh", "softmax", random_state=0), with_value(0, 0, 2.0)
    Y = sparse.csr_array(np.eye(2)[np.arange(8) % 2])
    for call in (net.loss, net.gradients, lambda x, y, loss: net.train(x, y, loss=loss, epochs=1)):
        with pytest.raises(TypeError, match=r"Y is a sparse matrix, and targets are dense: pass Y.toarray\(\)"):
            call(S, Y, loss="log_loss")


def damaged(name: str, change: Any, form: str = "csr") -> Any:
    S = sparse.csr_array(np.arange(24.0, dtype=np.float32).reshape(8, 3)).asformat(form)
    array = getattr(S, name).copy()
    setattr(S, name, change(array))
    return S


def put(place: int, value: int) -> Any:
    def change(array: Array) -> Array:
        array[place] = value
        return array

    return change


ENDS = "its indptr must rise from 0 to the number of its indices and data"
DAMAGED: list[tuple[Any, str]] = [
    (damaged("indices", put(7, 3)), "an index of row 2 is 3, and there are 3 columns"),
    (damaged("indices", put(0, -1)), "an index of row 0 is -1, and there are 3 columns"),
    (damaged("indices", put(7, 2**31 - 1)), "an index of row 2 is 2147483647, and there are 3 columns"),
    (damaged("indices", put(3, 8), "csc"), "an index of column 0 is 8, and there are 8 rows"),
    (damaged("indptr", put(-1, 10**6)), ENDS),
    (damaged("indptr", put(-1, 10**6), "csc"), ENDS),
    (damaged("indptr", put(0, -5)), ENDS),
    (damaged("indptr", put(0, 2)), ENDS),
    (damaged("indptr", put(4, 2**31 - 1)), ENDS),
    (damaged("indptr", lambda a: a[:-1]), ENDS),
    (damaged("indices", lambda a: a[:-1]), ENDS),
    (damaged("data", lambda a: a[:-1]), ENDS),
]


@pytest.mark.parametrize(("bad", "message"), DAMAGED)
def test_damaged_matrices_are_refused(backend: Any, bad: Any, message: str) -> None:
    net = backend([3, 5, 2], random_state=0)
    for call in (lambda: net.predict(bad), lambda: net.train(bad, TARGETS, epochs=1)):
        with pytest.raises(ValueError, match=f"X is a damaged sparse matrix: {message}"):
            call()


@pytest.mark.parametrize("bad", [bad for bad, _ in DAMAGED if bad.format == "csr"])
def test_the_core_looks_for_itself(bad: Any) -> None:
    net = fastmlp.Network([3, 5, 2], random_state=0)
    with pytest.raises(ValueError, match=r"damaged|rows"):
        net._core.predict(bad, 0)
