"""What a network is: its layers, its parameters as live views, copies and pickles."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import fastmlp


def test_parameters_are_one_flat_buffer_with_live_views(backend: Any) -> None:
    net = backend([2, 3, 1], random_state=0)
    assert net.layer_sizes == (2, 3, 1)
    assert [W.shape for W in net.weights] == [(2, 3), (3, 1)]
    assert [b.shape for b in net.biases] == [(3,), (1,)]
    assert net.parameters.shape == (2 * 3 + 3 + 3 + 1,)
    assert np.array_equal(net.parameters[:6].reshape(2, 3), net.weights[0])
    assert np.array_equal(net.parameters[6:9], net.biases[0])
    net.parameters[:] = 0
    net.biases[1][0] = 5
    assert net.parameters[-1] == 5
    assert net.predict([[1, 1]]) == 5
    net.weights[0][:] = 1
    assert net.parameters[0] == 1


def test_parameters_start_on_a_cache_line() -> None:
    for sizes in ([1, 1], [3, 5, 2], [100, 7, 3]):
        assert fastmlp.Network(sizes).parameters.ctypes.data % 64 == 0


def test_a_network_without_biases(backend: Any) -> None:
    net = backend([2, 3, 1], bias=False)
    assert net.biases == ()
    assert net.parameters.size == 9
    assert np.array_equal(net.predict(np.zeros((1, 2))), [[0]])


def test_activation_per_layer(backend: Any) -> None:
    net = backend([1, 2, 2, 1], activation=["relu", "tanh"], output_activation="sigmoid")
    assert net.activations == ("relu", "tanh", "sigmoid")
    assert backend([1, 1]).activations == ("linear",)


def test_from_parameters_copies(backend: Any) -> None:
    W = [np.ones((2, 2), np.float32), np.ones((2, 1), np.float32)]
    net = backend.from_parameters(W, [[1, 2], [3]], activation="linear")
    assert net.dtype == np.float32 or net.dtype == np.float64
    W[0][:] = 9
    assert net.predict([[1, 1]])[0, 0] == (1 + 1 + 1) + (1 + 1 + 2) + 3


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [(("float32", "float32"), "float32"), (("float32", "float64"), "float64"), (("int64", "int64"), "float64")],
)
def test_from_parameters_takes_the_dtype_of_the_weights(backend: Any, dtypes: tuple[str, str], expected: str) -> None:
    assert backend.from_parameters([np.ones((1, 1), d) for d in dtypes]).dtype == expected
    assert backend.from_parameters([np.ones((1, 1), d) for d in dtypes], dtype="float32").dtype == np.float32


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda net: net.copy(), lambda net: pickle.loads(pickle.dumps(net))]
)
def test_copies_and_pickles_are_independent(backend: Any, duplicate: Any) -> None:
    net = backend([2, 5, 1], activation="relu", dtype="float64", random_state=1)
    other = duplicate(net)
    assert type(other) is type(net)
    assert repr(other) == repr(net)
    assert np.array_equal(other.parameters, net.parameters)
    other.train([[1, 2]], [3], epochs=1)
    assert not np.array_equal(other.parameters, net.parameters)
    assert np.array_equal(other.predict([[1, 2]]), other.trace([[1, 2]]).A[-1])


def test_repr_makes_the_same_layers(backend: Any) -> None:
    for net in (
        backend([2, 5, 1], random_state=1),
        backend([2, 5, 4, 1], ["relu", "tanh"], "sigmoid", bias=False, dtype="float64"),
        backend([2, 1]),
    ):
        again = eval(repr(net), {"Network": backend})
        assert repr(again) == repr(net)
        assert again.activations == net.activations


def test_random_state(backend: Any) -> None:
    a, b, c = (backend([3, 3, 1], random_state=s).parameters for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    rng = np.random.default_rng(0)
    first, second = (backend([3, 3, 1], random_state=rng).parameters for _ in range(2))
    assert np.array_equal(first, a)
    assert not np.array_equal(first, second)


def test_attributes_cannot_be_replaced_by_mistake(backend: Any) -> None:
    net = backend([1, 1])
    for name in ("parameters", "weights", "biases", "layer_sizes", "activations", "dtype"):
        with pytest.raises(AttributeError):
            setattr(net, name, None)


BAD_ARGUMENTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"layer_sizes": [3]}, ValueError, "input and an output size"),
    ({"layer_sizes": []}, ValueError, "input and an output size"),
    ({"layer_sizes": [3, 0, 1]}, ValueError, r"layer_sizes\[1\] must be at least 1, not 0"),
    ({"layer_sizes": [3, -2, 1]}, ValueError, r"layer_sizes\[1\] must be at least 1, not -2"),
    ({"layer_sizes": [3, 2.5, 1]}, TypeError, r"layer_sizes\[1\] must be an integer"),
    ({"layer_sizes": [3, True]}, TypeError, r"layer_sizes\[1\] must be an integer"),
    ({"layer_sizes": "32"}, TypeError, "sequence of integers"),
    ({"layer_sizes": 3}, TypeError, "sequence of integers"),
    ({"layer_sizes": [2**40, 2**40]}, ValueError, "more than any memory"),
    ({"activation": "thanh"}, ValueError, "unknown activation 'thanh': did you mean 'tanh'"),
    ({"activation": "Relu"}, ValueError, "did you mean 'relu'"),
    ({"activation": ["relu"]}, ValueError, "names 1 layers, and there are 2 hidden layers"),
    ({"activation": ["relu", "rulu"]}, ValueError, "did you mean 'relu'"),
    ({"activation": None}, TypeError, "activation must be a name"),
    ({"output_activation": "softmaxx"}, ValueError, "unknown output_activation 'softmaxx'"),
    ({"output_activation": 3}, TypeError, "output_activation must be a string"),
    ({"bias": 1}, TypeError, "bias must be True or False"),
    ({"init": "glorot"}, ValueError, "did you mean 'glorot_normal'"),
    ({"dtype": "float16"}, ValueError, "dtype must be 'float32' or 'float64' in this machine's byte order, not '<f2'"),
    ({"dtype": "nonsense"}, TypeError, "dtype must be"),
    ({"dtype": None}, TypeError, "dtype must be"),
    ({"dtype": ">f4"}, ValueError, "byte order, not '>f4'"),
    ({"random_state": -1}, ValueError, "random_state must be at least 0"),
    ({"random_state": "seed"}, TypeError, "random_state must be an integer"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_named(backend: Any, arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        backend(**{"layer_sizes": [3, 4, 4, 1], **arguments})


BAD_PARAMETERS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"weights": []}, ValueError, "weights is empty"),
    ({"weights": [[1, 2]]}, ValueError, r"weights\[0\] must have shape \(n_in, n_out\)"),
    ({"weights": [np.ones((2, 3)), np.ones((2, 1))]}, ValueError, r"weights\[1\] has 2 rows, and weights\[0\] has 3"),
    ({"weights": [np.ones((2, 1))], "biases": []}, ValueError, "1 weights and 0 biases"),
    ({"weights": [np.ones((2, 1))], "biases": [[1, 2]]}, ValueError, r"biases\[0\] must have shape"),
    ({"weights": [[[np.nan]]]}, ValueError, r"weights\[0\]\[0, 0\] is nan"),
    ({"weights": [[[1e300]]], "dtype": "float32"}, ValueError, "too large for float32"),
    ({"weights": [[["a"]]]}, TypeError, r"weights\[0\] must hold real numbers"),
    ({"weights": [[[1j]]]}, TypeError, r"weights\[0\] must hold real numbers"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_PARAMETERS)
def test_bad_parameters_are_named(
    backend: Any, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        backend.from_parameters(**arguments)
