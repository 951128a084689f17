"""Networks as C: compiled, they give what the network gives; fixed point gives its emulation's bits."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_programs import ARM_GCC, FIXED, FLOATS, SANITIZERS, WARNINGS, needs_arm_gcc, needs_gcc, outputs_of, run
from conftest import make_network

import fastmlp
from fastmlp import reference
from fastmlp.reference.activations import ACTIVATIONS, LINKS
from fastmlp.reference.arrays import Array
from fastmlp.reference.c_export.fixed import SUM_BITS, forward
from fastmlp.reference.c_export.forms import INTEGER_FORMS, LINK_FORMS, REAL_FORMS, rounding
from fastmlp.reference.c_export.integers import FixedProgram
from fastmlp.reference.c_export.model import KINDS, Model


def network_cases() -> dict[str, Any]:
    """Every activation of hidden layers and of outputs, every depth, with and without biases, in both twins."""
    cases = {}
    for i, name in enumerate(ACTIVATIONS):
        twin = (fastmlp.Network, reference.Network)[i % 2]
        hidden = [7, 4, 6][: i % 3 + 1]
        cases[f"hidden_{name}"] = make_network(twin, [3, *hidden, 2], name, bias=i % 4 < 2, dtype=FLOATS[i // 2 % 2])
        cases[f"output_{name}"] = make_network(twin, [3, 5, 2], "tanh", name, dtype="float64")
        cases[f"alone_{name}"] = make_network(twin, [3, 2], "tanh", name, bias=i % 2 == 0, dtype="float32")
    for name in LINKS:
        cases[f"output_{name}"] = make_network(fastmlp.Network, [3, 8, 4], "gelu", name, dtype="float32")
    cases["leaky"] = make_network(fastmlp.Network, [3, 9, 2], "leaky_relu(0.3)", "leaky_relu(1.7)")
    cases["flat"] = make_network(fastmlp.Network, [3, 9, 2], "leaky_relu(0)", "elu(0.4)")
    return cases


CASES = network_cases()
X = np.random.default_rng(5).uniform(-2, 2, (60, 3)).astype(np.float32)


def fixed_program(net: Any, kind: str, calibration: Array = X, **arguments: Any) -> FixedProgram:
    defaults = {"name": "model", "input_scaling": None, "output_scaling": None, "input_names": None, "labels": None}
    return FixedProgram(Model.checked(net, kind=kind, **{**defaults, **arguments}), calibration.astype(np.float64))


def in_float64(net: Any, X: Array, fixed: bool = False) -> Array:
    """Return the network's outputs in float64; with ``fixed`` net inputs where fixed point gives them."""
    Z, A = forward(net, X.astype(np.float64))
    return Z[-1] if fixed and net.activations[-1] in ("softmax", "mean_variance", "exp") else A[-1]


def test_every_activation_has_a_form_in_c() -> None:
    assert set(REAL_FORMS) == set(ACTIVATIONS)
    assert set(LINK_FORMS) == set(LINKS)
    assert set(INTEGER_FORMS) < set(ACTIVATIONS)  # tables are for the others


@needs_gcc
@pytest.mark.parametrize("kind", FLOATS)
def test_floating_point_gives_what_the_network_gives(tmp_path: Path, kind: str) -> None:
    for name, net in CASES.items():
        net.to_c(tmp_path / f"{name}.h", name, kind, X)
    found = outputs_of(tmp_path, dict.fromkeys(CASES, (kind, X)))
    for name, net in CASES.items():
        Y = net.predict(X).astype(float)
        precision = 1e-6 if "float32" in (kind, net.dtype) else 1e-13
        error = np.abs(found[name] - Y) / np.maximum(1, np.abs(Y))
        assert error.max() < precision, name


@needs_gcc
@pytest.mark.parametrize("kind", FLOATS)
def test_activations_are_right_far_out(tmp_path: Path, kind: str) -> None:
    ends = np.concatenate([np.geomspace(1e-6, 80, 60), [1e4, 1e12]])
    z = np.concatenate([-ends[::-1], [0.0], ends]).astype(np.float32)[:, np.newaxis]
    models = {}
    for name in ACTIVATIONS:
        net = fastmlp.Network.from_parameters([[[1.0]]], output_activation=name, dtype=kind)
        rows = z[z <= 80][:, np.newaxis] if name == "exp" else z
        rows = rows[np.abs(rows) <= 80][:, np.newaxis] if name == "sin" else rows
        net.to_c(tmp_path / f"a_{name}.h", f"a_{name}", kind, rows)
        models[f"a_{name}"] = (kind, rows)
    found = outputs_of(tmp_path, models)
    for name in ACTIVATIONS:
        Y = ACTIVATIONS[name]().value(models[f"a_{name}"][1].astype(np.float64))
        error = np.abs(found[f"a_{name}"] - Y) / np.maximum(1, np.abs(Y))
        assert error.max() < (1e-6 if kind == "float32" else 1e-12), name


@needs_gcc
@pytest.mark.parametrize("kind", FIXED)
@pytest.mark.parametrize("flags", [("-O2",), SANITIZERS], ids=["optimised", "sanitised"])
def test_fixed_point_is_its_emulation_bit_for_bit(tmp_path: Path, kind: str, flags: tuple[str, ...]) -> None:
    beyond = np.concatenate([X, 50 * X, [[np.inf, -np.inf, 1e30]]]).astype(np.float32)  # far from the calibration data
    # Sanitisers take their time: they see every activation once, and a few networks.
    cases = {n: net for n, net in CASES.items() if flags == ("-O2",) or n.split("_")[0] not in ("hidden", "output")}
    reports = {name: net.to_c(tmp_path / f"{name}.h", name, kind, X) for name, net in cases.items()}
    found = outputs_of(tmp_path, dict.fromkeys(cases, (kind, beyond)), *flags)
    for name, net in cases.items():
        integers, reals = found[name][:, ::2], found[name][:, 1::2]
        np.testing.assert_array_equal(integers, fixed_program(net, kind).measure(beyond)[1], name)
        error = reals[: len(X)] - in_float64(net, X, fixed=True)
        assert reports[name].max_error == np.abs(error).max(), name
        assert reports[name].rms_error == np.sqrt(np.square(error).mean()), name


@pytest.mark.parametrize("name", CASES)
def test_fixed_point_is_close_to_the_network(tmp_path: Path, name: str) -> None:
    net = CASES[name]
    size = np.abs(in_float64(net, X, fixed=True)).max()
    for kind, tolerance in (("int16", 1e-3), ("int8", 0.1)):
        assert net.to_c(tmp_path / "model.h", kind=kind, calibration=X).max_error < tolerance * max(size, 1), kind


@pytest.mark.parametrize("kind", FIXED)
def test_no_sum_can_overflow(kind: str) -> None:
    """The worst inputs are those that all have the sign of their weights."""
    bits = KINDS[kind]
    for net in [*CASES.values(), make_network(fastmlp.Network, [700, 300, 2], "relu")]:
        rows = X if net.layer_sizes[0] == 3 else np.tile(X, (1, 234))[:, :700]
        for layer in fixed_program(net, kind, rows).fixed.layers:
            worst = 2 ** (bits - 1) * np.abs(layer.W).sum(axis=0) + (0 if layer.b is None else np.abs(layer.b))
            bits_of_z = layer.table.z_bits if layer.table else layer.scales.out_bits
            assert int(worst.max()) + rounding(layer.scales.sum_bits - bits_of_z) < 2 ** (SUM_BITS[bits] - 1)


def test_weights_give_up_bits_where_biases_are_large() -> None:
    def layer(bias: float) -> Any:
        net = fastmlp.Network.from_parameters([[[0.001]]], [[bias]])
        return fixed_program(net, "int8", np.ones((2, 1))).fixed.layers[0]

    assert layer(1.0).weight_bits == 16
    assert 12 <= layer(600.0).weight_bits < 16
    with pytest.raises(ValueError, match=r"layer 1: its sums could overflow, as its biases .* kind='int16'"):
        layer(1e5)


@pytest.fixture(scope="module")
def reader(digits: tuple[Array, Array]) -> Any:
    """A network that reads digits."""
    X, Y = digits
    net = fastmlp.Network([64, 32, 10], "tanh", "softmax", random_state=0)
    rows = np.arange(len(X)) % 4 > 0
    rule = fastmlp.Adam(0.003)
    net.train(X[rows], Y[rows], epochs=30, batch_size=32, loss="log_loss", optimizer=rule, random_state=0)
    return net


@needs_gcc
def test_digits_are_read_in_every_kind(tmp_path: Path, reader: Any, digits: tuple[Array, Array]) -> None:
    """Four models in one program; formats come from other rows than those that are read."""
    X, labels = digits[0], digits[1].argmax(axis=1)
    seen, unseen = np.arange(len(X)) % 4 == 1, np.arange(len(X)) % 4 == 0
    accuracy = float(np.mean(reader.predict(X[unseen]).argmax(axis=1) == labels[unseen]))
    assert accuracy > 0.94
    kinds = (*FLOATS, *FIXED)
    reports = {k: reader.to_c(tmp_path / f"digits_{k}.h", f"digits_{k}", k, X[seen], labels=range(10)) for k in kinds}
    found = outputs_of(tmp_path, {f"digits_{kind}": (kind, X[unseen]) for kind in kinds})
    for kind, loss in zip(kinds, (0, 0, 0.002, 0.01), strict=True):
        Y = found[f"digits_{kind}"][:, :: 2 if kind in FIXED else 1]
        assert np.mean(Y.argmax(axis=1) == labels[unseen]) >= accuracy - loss, kind
        assert reports[kind].agreement > 0.98


@needs_arm_gcc
@pytest.mark.parametrize("kind", ["float32", *FIXED])
def test_it_compiles_for_a_microcontroller(tmp_path: Path, reader: Any, digits: tuple[Array, Array], kind: str) -> None:
    report = reader.to_c(tmp_path / "model.h", kind=kind, calibration=digits[0][:200])
    c_type = {"float32": "float"}.get(kind, f"{kind}_t")
    source = f'#include "model.h"\nvoid predict(const {c_type} *x, {c_type} *y) {{ model_predict(x, y); }}\n'
    (tmp_path / "model.c").write_text(source)
    target = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-Os", "-fstack-usage")
    run([ARM_GCC, *WARNINGS, *target, "-c", "model.c", "-o", "model.o"], cwd=tmp_path)
    stack = int((tmp_path / "model.su").read_text().split("\t")[1])
    assert report.stack_bytes <= stack < report.stack_bytes + 100
    size = shutil.which("arm-none-eabi-size")
    text_bytes, data, bss = map(int, run([size, tmp_path / "model.o"]).splitlines()[1].split()[:3])
    assert report.data_bytes < text_bytes < report.data_bytes + 800
    assert (data, bss) == (0, 0)


@needs_gcc
def test_cpp_takes_it_too(tmp_path: Path, reader: Any, digits: tuple[Array, Array]) -> None:
    for kind in (*FLOATS, *FIXED):
        reader.to_c(tmp_path / "model.h", kind=kind, calibration=digits[0][:50], labels=list("abcdefghij"))
        (tmp_path / "main.cpp").write_text('#include "model.h"\nint main() { return model_self_check(); }\n')
        run(["g++", "-std=c++11", *WARNINGS[1:], tmp_path / "main.cpp", "-o", tmp_path / "main"])
        run([tmp_path / "main"])
