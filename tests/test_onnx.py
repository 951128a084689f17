"""Networks as ONNX models: what another runtime computes from them is what they predict."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import LOSS_CASES, randomize_biases
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

import fastmlp
from fastmlp import reference
from fastmlp.reference import onnx_network
from fastmlp.reference.activations import ACTIVATIONS, LINKS
from fastmlp.reference.arrays import Array
from fastmlp.reference.losses import LOSSES
from fastmlp.reference.onnx_activations import NODES

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
SPECS = [*ACTIVATIONS, "leaky_relu(0.3)", "leaky_relu(2)", "elu(2)"]
SIZES = {depth: [5, *[9, 1, 17, 8][:depth], 4] for depth in range(5)}

# What ONNX Runtime has for float32 alone is run by onnx's own evaluator.
NOT_IN_ONNXRUNTIME = {("gelu", "float64")}


class Erf(OpRun):
    """The evaluator's own erf gives float32."""

    op_domain = ""

    def _run(self, x: Array) -> tuple[Array]:
        return (np.vectorize(math.erf)(x),)


def run(model: onnx.ModelProto, X: Array) -> dict[str, Array]:
    """Return what ONNX Runtime makes of X, by the outputs' names."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, {"X": X}), strict=True))


def assert_same(model: onnx.ModelProto, net: Any, X: Array) -> None:
    """Assert that the model gives the network's outputs."""
    X = X.astype(net.dtype)
    if any((name, net.dtype.name) in NOT_IN_ONNXRUNTIME for name in net.activations):
        onnx.checker.check_model(model, full_check=True)
        [got] = ReferenceEvaluator(model, new_ops=[Erf]).run(None, {"X": X})
    else:
        got = run(model, X)["Y_hat"]
    expected = net.predict(X)
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    same = got == expected  # as infinities must be
    error = np.abs(got[~same] - expected[~same]) / np.maximum(1, np.abs(expected[~same]))
    assert error.size == 0 or error.max() <= TOLERANCE[net.dtype.name]


def networks(activation: str, output_activation: str, dtype: str) -> Iterator[fastmlp.Network]:
    """Give random networks of every depth, with and without biases."""
    for depth, sizes in SIZES.items():
        for bias in (True, False):
            net = fastmlp.Network(sizes, activation, output_activation, bias, dtype=dtype, random_state=depth)
            randomize_biases(net, np.random.default_rng(depth))
            if activation == "exp":  # towers of it leave all bounds
                net.parameters[:] *= 0.3
            yield net


def test_every_activation_has_an_export() -> None:
    assert set(NODES) == {*ACTIVATIONS.values(), *LINKS.values()}
    links = {loss.link for loss in LOSSES.values()} | {output for _, output, _ in LOSS_CASES.values()}
    assert links - {None} <= {*ACTIVATIONS, *LINKS}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("activation", SPECS)
def test_hidden_activations(activation: str, dtype: str, rng: np.random.Generator) -> None:
    for net in networks(activation, "linear", dtype):
        assert_same(net.to_onnx(), net, rng.standard_normal((1000, 5)))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("activation", [*SPECS, *LINKS])
def test_output_activations(activation: str, dtype: str, rng: np.random.Generator) -> None:
    large = 10 if activation == "sin" else 100  # of net inputs of 256 the last place is larger than the tolerance
    for net in networks("tanh", activation, dtype):
        assert_same(net.to_onnx(), net, 3 * rng.standard_normal((1, 5)))
        assert_same(net.to_onnx(), net, large * rng.standard_normal((30, 5)))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("activation", [*SPECS, *LINKS])
def test_net_inputs_of_any_size(activation: str, dtype: str) -> None:
    sizes = [0, 1e-30, 1e-4, 0.3, 1, 5, 9, 17, 19, 21, 36, 40, 88, 89, 100, 104, 700, 710, 1e4, 1e6, 1e30]
    z = np.array(sizes if activation != "sin" else sizes[:-2])
    X = np.stack([z, -z, z[::-1], np.zeros_like(z)], axis=1)
    net = fastmlp.Network.from_parameters([np.eye(4)], output_activation=activation, dtype=dtype)
    assert_same(net.to_onnx(), net, X)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_activations_of_each_layer(dtype: str, rng: np.random.Generator) -> None:
    net = fastmlp.Network([5, 8, 8, 8, 4], ["relu", "leaky_relu(0.2)", "mish"], "softmax", dtype=dtype, random_state=0)
    assert_same(net.to_onnx(), net, rng.standard_normal((100, 5)))
    assert_same(net.to_onnx(), net, np.empty((0, 5)))


def test_a_trained_network(digits: tuple[Array, Array]) -> None:
    X, Y = digits
    net = fastmlp.Network([64, 32, 10], "relu", "softmax", init="he_uniform", random_state=0)
    net.train(X, Y, epochs=10, batch_size=32, loss="log_loss", optimizer=fastmlp.Adam(0.01), random_state=0)
    got = run(net.to_onnx(), X)["Y_hat"]
    assert np.mean(got.argmax(axis=1) == Y.argmax(axis=1)) > 0.98
    assert_same(net.to_onnx(), net, X)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_what_the_model_says_of_itself(dtype: str) -> None:
    net = fastmlp.Network([3, 4, 2], "leaky_relu(0.2)", "softmax", bias=False, dtype=dtype)
    model = net.to_onnx()
    assert (model.producer_name, model.producer_version) == ("fastmlp", fastmlp.__version__)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 13)]
    assert model.ir_version == 7
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(properties["fastmlp.network"]) == {
        "layer_sizes": [3, 4, 2],
        "activations": ["leaky_relu(0.2)", "softmax"],
        "bias": False,
        "dtype": dtype,
    }
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    kind = {"float32": "tensor(float)", "float64": "tensor(double)"}[dtype]
    [X], [Y_hat] = session.get_inputs(), session.get_outputs()
    assert (X.name, X.type, X.shape) == ("X", kind, ["n_rows", 3])
    assert (Y_hat.name, Y_hat.type, Y_hat.shape) == ("Y_hat", kind, ["n_rows", 2])


def test_weights_and_layers_have_the_names_of_the_mathematics() -> None:
    net = fastmlp.Network([3, 4, 2], "gelu", "linear", random_state=0)
    graph = net.to_onnx().graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for l, (W, b) in enumerate(zip(net.weights, net.biases, strict=True), 1):
        np.testing.assert_array_equal(constants[f"W{l}"], W)
        np.testing.assert_array_equal(constants[f"b{l}"], b)
    results = [name for node in graph.node for name in node.output]
    assert [name for name in results if "_" not in name or name == "Y_hat"] == ["Z1", "A1", "Y_hat"]


def test_a_relu_network_has_one_node_per_operation() -> None:
    model = fastmlp.Network([3, 4, 2], "relu").to_onnx()
    assert [node.op_type for node in model.graph.node] == ["MatMul", "Add", "Relu", "MatMul", "Add"]


def test_the_reference_exports_the_same() -> None:
    core, twin = (network([3, 4, 2], "mish", random_state=0) for network in (fastmlp.Network, reference.Network))
    assert core.to_onnx().SerializeToString() == twin.to_onnx().SerializeToString()
    assert fastmlp.to_onnx(twin) == twin.to_onnx()


def test_the_model_stays_what_it_was_when_the_network_goes_on(rng: np.random.Generator) -> None:
    net = fastmlp.Network([3, 4, 2], random_state=0)
    model = net.to_onnx()
    before = model.SerializeToString()
    net.train(rng.standard_normal((20, 3)), rng.standard_normal((20, 2)), epochs=1)
    assert model.SerializeToString() == before


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    net = fastmlp.Network([3, 4, 2], random_state=0)
    assert net.to_onnx(path) == onnx.load(path)
    assert fastmlp.to_onnx(net, str(path)) == onnx.load(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_export_leaves_the_old_file(tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.onnx"
    fastmlp.Network([1, 2, 1]).to_onnx(path)
    before = path.read_bytes()

    def fail(*args: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="disk is full"):
        fastmlp.Network([1, 3, 1]).to_onnx(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_number_is_not_exported(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    net = fastmlp.Network([1, 2, 1])
    net.parameters[3] = np.nan
    with pytest.raises(ValueError, match=r"parameters\[3\] is nan"):
        net.to_onnx(path)
    assert not path.exists()


def test_a_network_too_large_for_the_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_network, "MAX_BYTES", 100)
    fastmlp.Network([4, 5]).to_onnx()
    with pytest.raises(ValueError, match="the parameters take 104 bytes, and an ONNX file has room for 100"):
        fastmlp.Network([25, 1]).to_onnx()


@pytest.mark.parametrize("call", [lambda net: net.to_onnx(), fastmlp.to_onnx])
def test_a_missing_package_is_named(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"onnx is not installed: pip install 'fastmlp\[onnx\]'"):
        call(fastmlp.Network([1, 1]))


def test_onnx_is_imported_when_it_is_used() -> None:
    script = "import sys, fastmlp; fastmlp.Network([1, 1]); sys.exit('onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
