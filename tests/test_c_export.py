"""Networks as C: compiled, they give what the network gives; fixed point gives its emulation's bits."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_network

import fastmlp
from fastmlp import reference
from fastmlp.cli import main as fastmlp_command
from fastmlp.reference import files
from fastmlp.reference.activations import ACTIVATIONS, LINKS
from fastmlp.reference.arrays import Array
from fastmlp.reference.c_export import CReport, text
from fastmlp.reference.c_export.fixed import SUM_BITS, forward
from fastmlp.reference.c_export.forms import INTEGER_FORMS, LINK_FORMS, REAL_FORMS, rounding
from fastmlp.reference.c_export.integers import FixedProgram
from fastmlp.reference.c_export.model import Model

GCC, ARM_GCC = shutil.which("gcc"), shutil.which("arm-none-eabi-gcc")
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic")
SANITIZERS = ("-O0", "-fsanitize=undefined,address,float-cast-overflow", "-fno-sanitize-recover=all")
FLOATS, FIXED = ("float32", "float64"), ("int16", "int8")
BITS = {"int16": 16, "int8": 8}

needs_gcc = pytest.mark.skipif(GCC is None, reason="there is no gcc to compile the header with")
needs_arm_gcc = pytest.mark.skipif(ARM_GCC is None, reason="there is no arm-none-eabi-gcc to compile the header with")

# Reads rows of inputs, and prints a line of outputs for each; of a model that fails its self-check, only the vector.
MAIN = """
#include <stdio.h>
{includes}
static int read_row(int n, double row[]) {{
  for (int i = 0; i < n; ++i) if (scanf("%lf", row + i) != 1) return 0;
  return 1;
}}
int main(void) {{
  double row[1000];
  int n_rows;
{models}
  return 0;
}}
"""
FLOAT_MODEL = """
  if (NAME_self_check()) {{ printf("NAME %d\\n", NAME_self_check()); return 1; }}
  if (scanf("%d", &n_rows) != 1) return 2;
  while (n_rows-- > 0 && read_row(UPPER_N_INPUTS, row)) {{
    {type} x[UPPER_N_INPUTS], y[UPPER_N_OUTPUTS];
    for (int i = 0; i < UPPER_N_INPUTS; ++i) x[i] = ({type})row[i];
    NAME_predict(x, y);
    for (int j = 0; j < UPPER_N_OUTPUTS; ++j) printf("%.17g ", (double)y[j]);
    printf("\\n");
  }}
"""
FIXED_MODEL = """
  if (NAME_self_check()) {{ printf("NAME %d\\n", NAME_self_check()); return 1; }}
  if (scanf("%d", &n_rows) != 1) return 2;
  while (n_rows-- > 0 && read_row(UPPER_N_INPUTS, row)) {{
    {type} q[UPPER_N_INPUTS], p[UPPER_N_OUTPUTS];
    float x[UPPER_N_INPUTS], y[UPPER_N_OUTPUTS];
    for (int i = 0; i < UPPER_N_INPUTS; ++i) x[i] = (float)row[i];
    NAME_quantize(x, q);
    NAME_predict(q, p);
    NAME_dequantize(p, y);
    for (int j = 0; j < UPPER_N_OUTPUTS; ++j) printf("%d %.17g ", p[j], (double)y[j]);
    printf("\\n");
  }}
"""


def run(command: list[Any], **options: Any) -> str:
    """Return what a command prints; it has to succeed in silence."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    return done.stdout


def outputs_of(folder: Path, models: dict[str, tuple[str, Array]], *flags: str) -> dict[str, Array]:
    """Compile headers that are in a folder to one program, and return what each model gives for its rows."""
    blocks, rows = [], []
    for name, (kind, X) in models.items():
        block = FLOAT_MODEL if kind in FLOATS else FIXED_MODEL
        c_type = {"float32": "float", "float64": "double"}.get(kind, f"{kind}_t")
        blocks.append(block.format(type=c_type).replace("NAME", name).replace("UPPER", name.upper()))
        rows += [str(len(X)), *(" ".join(map(repr, row)) for row in X.astype(np.float64).tolist())]
    includes = "\n".join(f'#include "{name}.h"' for name in models)
    (folder / "main.c").write_text(MAIN.format(includes=includes, models="".join(blocks)))
    run([GCC, *WARNINGS, *(flags or ("-O2",)), folder / "main.c", "-o", folder / "main", "-lm"])
    printed = iter(run([folder / "main"], input="\n".join(rows)).splitlines())
    return {name: np.array([next(printed).split() for _ in X], float) for name, (_, X) in models.items()}


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
    bits = BITS[kind]
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


@needs_gcc
@pytest.mark.parametrize("kind", ["float32", *FIXED])
def test_the_self_check_names_the_first_vector_that_fails(tmp_path: Path, kind: str) -> None:
    fastmlp.Network([2, 3, 1], random_state=0).to_c(tmp_path / "model.h", kind=kind, calibration=X[:, :2])
    header = (tmp_path / "model.h").read_text()
    start = header.index("model_test_y[4][1] = {")
    third = header.index("{", header.index("{", header.index("{", header.index("{", start) + 1) + 1) + 1)
    (tmp_path / "model.h").write_text(header[:third] + header[third:].replace("{\n    ", "{\n    7 + ", 1))
    (tmp_path / "main.c").write_text('#include "model.h"\nint main(void) { return model_self_check() == 3 ? 0 : 1; }\n')
    run([GCC, tmp_path / "main.c", "-o", tmp_path / "main", "-lm"])
    run([tmp_path / "main"])


@needs_gcc
@pytest.mark.parametrize("kind", [*FLOATS, *FIXED])
def test_scaling_of_inputs_and_outputs(tmp_path: Path, rng: np.random.Generator, kind: str) -> None:
    mean, scale = np.array([5.0, -300.0]), np.array([0.5, 40.0])
    rows = (mean + scale * rng.standard_normal((100, 2))).astype(np.float32)
    net = make_network(fastmlp.Network, [2, 6, 2], "tanh")
    given = {"input_scaling": (mean, scale), "output_scaling": ([10.0, 20.0], [2.0, 30.0])}
    report = net.to_c(tmp_path / "model.h", kind=kind, calibration=rows, **given)
    found = outputs_of(tmp_path, {"model": (kind, rows)})["model"][
        :, 1 if kind in FIXED else 0 :: 2 if kind in FIXED else 1
    ]
    Y = net.predict((rows - mean) / scale) * [2.0, 30.0] + [10.0, 20.0]
    tolerance = {"float32": 1e-5, "float64": 1e-12, "int16": 0.02, "int8": 3}[kind]
    assert np.abs(found - Y).max() < tolerance
    # The emulation of floating point has NumPy's tanh.
    assert report.max_error == pytest.approx(np.abs(found - Y).max(), rel=0.5 if kind in FLOATS else 0.001, abs=1e-13)


@needs_gcc
@pytest.mark.parametrize("scaler", ["StandardScaler", "MinMaxScaler"])
def test_a_pipeline(tmp_path: Path, scaler: str) -> None:
    from sklearn import preprocessing
    from sklearn.datasets import load_iris
    from sklearn.pipeline import make_pipeline

    rows, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    steps = [getattr(preprocessing, scaler)(), "passthrough", preprocessing.MinMaxScaler((-1, 1))]
    model = make_pipeline(*steps, fastmlp.MLPClassifier(max_iter=5000, solver="lbfgs", random_state=0))
    model.fit(rows, names)
    report = fastmlp.to_c(model, tmp_path / "iris.h", "iris", calibration=rows)
    assert report.agreement == 1
    found = outputs_of(tmp_path, {"iris": ("float32", rows)})["iris"]
    np.testing.assert_allclose(found, model.predict_proba(rows), atol=2e-5)
    header = (tmp_path / "iris.h").read_text()
    assert 'iris_labels[3] = {"setosa", "versicolor", "virginica"};' in header
    assert "Classes: 0 setosa, 1 versicolor, 2 virginica" in header


def test_estimators_bring_their_labels(tmp_path: Path) -> None:
    rows, path = X.astype(np.float64), tmp_path / "model.h"
    for y, expected in (
        (np.where(rows[:, 0] > 0, 7, -3), "int32_t model_labels[2] = {\n    -3, 7\n}"),
        (np.where(rows[:, 0] > 0, "yes", "no"), 'model_labels[2] = {"no", "yes"}'),
        ((rows[:, 0] > 0) + 1.0 * (rows[:, 1] > 0), "int32_t model_labels[3] = {\n    0, 1, 2\n}"),
    ):
        model = fastmlp.MLPClassifier((4,), solver="lbfgs", max_iter=5000, random_state=0).fit(rows, y)
        report = model.to_c(path, kind="int16", calibration=rows)
        assert expected in path.read_text()
        assert "model_class" in path.read_text()
        assert report.agreement is not None
    several = fastmlp.MLPClassifier((4,), solver="lbfgs", max_iter=5000, random_state=0).fit(
        rows, (rows[:, :2] > 0).astype(int)
    )
    assert several.to_c(path).agreement is None
    assert "model_class" not in path.read_text()
    assert (
        fastmlp.MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=5000)
        .fit(rows, rows[:, 0])
        .to_c(path)
        .agreement
        is None
    )


@needs_gcc
@pytest.mark.parametrize("kind", ["float32", *FIXED])
def test_the_class_of_one_output_and_of_several(tmp_path: Path, kind: str) -> None:
    calls = []
    for name, n_out, output in (("two", 1, "sigmoid"), ("many", 4, "softmax"), ("votes", 3, "sigmoid")):
        net = make_network(fastmlp.Network, [3, 6, n_out], "tanh", output)
        net.to_c(tmp_path / f"{name}.h", name, kind, X, labels=range(max(n_out, 2)))
        c_type = {"float32": "float"}.get(kind, f"{kind}_t")
        rows = f'for (int k = 0; k < 4; ++k) printf("%d ", {name}_class({name}_test_y[k]));'
        calls.append((name, net, c_type, rows))
    source = '#include <stdio.h>\n#include "two.h"\n#include "many.h"\n#include "votes.h"\n'
    source += "int main(void) { " + " ".join(call[3] for call in calls) + " return 0; }\n"
    (tmp_path / "main.c").write_text(source)
    run([GCC, *WARNINGS, tmp_path / "main.c", "-o", tmp_path / "main", "-lm"])
    printed = np.array(run([tmp_path / "main"]).split(), int).reshape(3, 4)
    rows = X[np.linspace(0, len(X) - 1, 4).round().astype(int)]
    for (_, net, *_), classes in zip(calls, printed, strict=True):
        Y = net.predict(rows)
        expected = Y.argmax(axis=1) if Y.shape[1] > 1 else Y[:, 0] > 0.5
        np.testing.assert_array_equal(classes, expected)


@needs_gcc
def test_a_model_of_the_command_line(tmp_path: Path) -> None:
    rows = np.column_stack([np.linspace(0, 50, 80), np.linspace(3, 1, 80) ** 2])
    lines = ["width,height,price", *(f"{a},{b},{3 * a + 100 * b}" for a, b in rows)]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    model = tmp_path / "model.safetensors"
    arguments = ["--target", "price", "--epochs", "50", "--seed", "0", "--hidden", "8"]
    assert fastmlp_command(["train", str(tmp_path / "data.csv"), "--output", str(model), *arguments]) == 0
    fastmlp_command(["predict", str(model), str(tmp_path / "data.csv"), "--output", str(tmp_path / "out.csv")])
    expected = np.loadtxt(tmp_path / "out.csv", skiprows=1)
    report = fastmlp.to_c(model, tmp_path / "price.h", "price", calibration=rows)
    assert "Inputs: 0 width, 1 height" in (tmp_path / "price.h").read_text()
    found = outputs_of(tmp_path, {"price": ("float32", rows)})["price"]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)
    assert report.max_error < 0.01
    files.save(fastmlp.Network([2, 1]), tmp_path / "other.safetensors", {"inputs": 1})
    with pytest.raises(ValueError, match=r"other\.safetensors: what is beside its network"):
        fastmlp.to_c(tmp_path / "other.safetensors", tmp_path / "price.h")
    with pytest.raises(ValueError, match="the model has a scaling of its own"):
        fastmlp.to_c(model, tmp_path / "price.h", input_scaling=([0, 0], [1, 1]))


def test_a_saved_network(tmp_path: Path) -> None:
    net = fastmlp.Network([2, 3, 1], random_state=0)
    net.save(tmp_path / "net.safetensors")
    fastmlp.to_c(str(tmp_path / "net.safetensors"), tmp_path / "a.h")
    net.to_c(tmp_path / "b.h")
    assert (tmp_path / "a.h").read_bytes() == (tmp_path / "b.h").read_bytes()


def test_other_steps_and_models_are_refused_by_name(tmp_path: Path) -> None:
    from sklearn import preprocessing
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    est = fastmlp.MLPRegressor(hidden_layer_sizes=(2,), solver="lbfgs", max_iter=5000).fit(X, X[:, 0])
    path = tmp_path / "model.h"
    for step, message in (
        (PCA(), "step 'pca' is a PCA: there is C code for StandardScaler and MinMaxScaler"),
        (preprocessing.StandardScaler(), "step 'standardscaler', a StandardScaler, is not fitted"),
        (preprocessing.MinMaxScaler(clip=True).fit(X), "MinMaxScaler with clip=True"),
    ):
        with pytest.raises(ValueError, match=message):
            fastmlp.to_c(make_pipeline(step, est), path)
    for other in (make_pipeline(LinearRegression()), LinearRegression()):
        with pytest.raises(TypeError, match="not a LinearRegression"):
            fastmlp.to_c(other, path)
    with pytest.raises(ValueError, match="not fitted"):
        fastmlp.MLPRegressor().to_c(path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"kind": "int4"}, ValueError, "unknown kind 'int4': did you mean"),
        ({"kind": 8}, TypeError, "kind must be a string"),
        ({"kind": "int8"}, ValueError, "kind 'int8' needs calibration=X"),
        ({"kind": "int8", "calibration": np.zeros((0, 2))}, ValueError, "calibration has no rows"),
        ({"calibration": [[1.0]]}, ValueError, "calibration"),
        ({"calibration": [[1.0, np.nan]]}, ValueError, r"calibration\[0, 1\] is nan"),
        ({"name": "2nd"}, ValueError, "name '2nd' must be a C identifier"),
        ({"name": "a b"}, ValueError, "must be a C identifier"),
        ({"name": None}, TypeError, "name must be a string"),
        ({"input_scaling": [1.0]}, TypeError, "input_scaling must be a pair"),
        ({"input_scaling": ([0, 0], [1, 0])}, ValueError, r"input_scaling\[1\]\[1\] is 0"),
        ({"input_scaling": ([0], [1, 2])}, ValueError, r"input_scaling\[0\]"),
        ({"input_names": ["a"]}, ValueError, "input_names has 1 names, and the network 2 input"),
        ({"labels": [1, 2]}, ValueError, "go with a single output whose activation is 'sigmoid'"),
        ({"labels": [1, 2, 3]}, ValueError, "labels must be 2 labels"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path: Path, arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fastmlp.Network([2, 3, 1], random_state=0).to_c(tmp_path / "model.h", **arguments)
    assert not (tmp_path / "model.h").exists()


@pytest.mark.parametrize(
    ("weight", "bias", "activation", "calibration", "message"),
    [
        (1e9, 0.0, "linear", [[1e9]], "layer 1: its sums would count in units of .*: standardise the inputs"),
        (1.0, 0.0, "leaky_relu(1e6)", [[1.0]], r"layer 1: leaky_relu\(1e\+06\) is too steep"),
        (1.0, 1e300, "linear", [[1.0]], "layer 1: its sums could overflow"),
        (1e200, 0.0, "selu", [[1e200]], "layer 1: its outputs overflow for the rows of calibration"),
    ],
)
def test_what_fixed_point_cannot_hold_is_refused(
    tmp_path: Path, weight: float, bias: float, activation: str, calibration: Any, message: str
) -> None:
    net = fastmlp.Network.from_parameters([[[weight]]], [[bias]], output_activation=activation)
    with pytest.raises(ValueError, match=message):
        net.to_c(tmp_path / "model.h", kind="int8", calibration=calibration)
    assert not list(tmp_path.iterdir())


def test_what_float_cannot_hold_is_refused(tmp_path: Path) -> None:
    net = fastmlp.Network.from_parameters([[[1e30]]], dtype="float64")
    with pytest.raises(ValueError, match="row 1 of calibration: output 0 overflows in float32"):
        net.to_c(tmp_path / "model.h", calibration=[[1.0], [1e30]])
    net.parameters[0] = 1e300
    with pytest.raises(ValueError, match=r"parameters\[0\] is 1e\+300: it has no place in float32"):
        net.to_c(tmp_path / "model.h")
    net.parameters[0] = np.nan
    with pytest.raises(ValueError, match=r"parameters\[0\] is nan"):
        net.to_c(tmp_path / "model.h", kind="float64")
    softmax = fastmlp.Network([2, 2], output_activation="softmax")
    with pytest.raises(ValueError, match="output_scaling is for regression"):
        softmax.to_c(tmp_path / "model.h", output_scaling=([1, 1], [1, 1]))
    exp = fastmlp.Network([2, 1], output_activation="exp")
    with pytest.raises(ValueError, match="leaves out the outputs' 'exp'"):
        exp.to_c(tmp_path / "model.h", kind="int8", calibration=[[1, 2]], output_scaling=([1], [1]))


@needs_gcc
def test_the_c_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[1] / "docs/embedded.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(page.split("```python\n")[1].split("```")[0], "embedded.md", "exec"), {})
    (tmp_path / "main.c").write_text(page.split("```c\n")[1].split("```")[0])
    run([GCC, *WARNINGS, "-O2", "main.c", "-o", "main", "-lm"])
    assert run(["./main"]).strip() in "0123456789"


@needs_gcc
def test_labels_are_any_text(tmp_path: Path) -> None:
    labels = ['qu"ote', "*/ int", "back\\slash", "ß??/", "new\nline", "PREFIX_x /* UPPER_"]
    net = fastmlp.Network([2, 6], output_activation="softmax", random_state=0)
    net.to_c(tmp_path / "model.h", labels=labels, input_names=["*/", "\\\n"])
    loop = "for (int k = 0; k < MODEL_N_CLASSES; ++k) { fputs(model_labels[k], stdout); putchar(0); }"
    source = f'#include <stdio.h>\n#include "model.h"\nint main(void) {{ {loop} return 0; }}\n'
    (tmp_path / "main.c").write_text(source)
    run([GCC, *WARNINGS, tmp_path / "main.c", "-o", tmp_path / "main", "-lm"])
    assert run([tmp_path / "main"]).split("\0")[:-1] == labels


def test_constants_are_exact(rng: np.random.Generator) -> None:
    for dtype, bits in ((np.float32, np.uint32), (np.float64, np.uint64)):
        values = rng.integers(np.iinfo(bits).max, size=1000, dtype=bits).view(dtype)
        for value in values[np.isfinite(values)]:
            assert dtype(text.real(value, np.dtype(dtype)).rstrip("f")) == value


def test_the_same_network_gives_the_same_bytes_and_a_report(tmp_path: Path) -> None:
    net = fastmlp.Network([2, 3, 1], dtype="float64", random_state=0)
    report = net.to_c(tmp_path / "model.h")
    before = (tmp_path / "model.h").read_bytes()
    assert net.to_c(tmp_path / "model.h") == report
    assert (tmp_path / "model.h").read_bytes() == before
    assert report == CReport("float32", 256, report.max_error, report.rms_error, None, 4 * 13, 4 * 4)
    comment = before.decode().split("*/")[0]
    assert f"largest error {report.max_error:.3g}, root mean square {report.rms_error:.3g}" in comment
    assert "The network is float64: its parameters are rounded to float, by" in comment


def test_a_failed_export_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = fastmlp.Network([2, 3, 1], random_state=0)
    net.to_c(tmp_path / "model.h")
    before = (tmp_path / "model.h").read_bytes()

    def fail(*args: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError):  # noqa: PT011  # of any text
        net.to_c(tmp_path / "model.h", kind="float64")
    assert (tmp_path / "model.h").read_bytes() == before
