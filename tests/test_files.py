"""The model file: what is saved comes back, what is damaged is noticed, what is there is never lost."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors

import fastmlp
from fastmlp import reference
from fastmlp.reference import files, tensors
from fastmlp.reference.arrays import Array
from fastmlp.reference.layers import Layers
from fastmlp.reference.sealed import NO_DIGEST

# The one writes and reads with the safetensors library, the other with NumPy alone.
TWINS = (fastmlp.Network, reference.Network)
GOLDEN = Path(__file__).with_name("data")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def rewrite(path: Path, change: Any) -> None:
    """Change the header of a file, whose metadata are given as an object, and seal it anew."""
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + n])
    header["__metadata__"] = json.loads(header["__metadata__"]["fastmlp"])
    header["__metadata__"]["sha256"] = NO_DIGEST.decode()
    change(header)
    header["__metadata__"] = {"fastmlp": json.dumps(header["__metadata__"], separators=(",", ":"))}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    content = len(text).to_bytes(8, "little") + text + raw[8 + n :]
    path.write_bytes(content.replace(NO_DIGEST, hashlib.sha256(content).hexdigest().encode(), 1))


def change_spec(path: Path, **changes: Any) -> None:
    """Change the network that a model file describes."""
    rewrite(path, lambda header: header["__metadata__"]["network"].update(changes))


@pytest.mark.parametrize("network_class", TWINS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [True, False])
def test_round_trip(path: Path, network_class: Any, dtype: str, bias: bool) -> None:
    net = network_class([3, 5, 4, 2], ["relu", "sigmoid"], "tanh", bias=bias, dtype=dtype, random_state=1)
    net.save(path)
    for other, _ in (files.load(path, cls) for cls in TWINS):
        assert isinstance(other, Layers)
        assert (other.layer_sizes, other.activations, other.bias) == (net.layer_sizes, net.activations, bias)
        assert other.dtype == net.dtype
        np.testing.assert_array_equal(other.parameters, net.parameters)
    X = np.random.default_rng(0).normal(size=(7, 3))
    loaded = files.load(path, network_class)[0]
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X))
    assert loaded.parameters.flags.writeable


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_have_the_same_bits_after_it(path: Path, simd: str, dtype: str, rng: np.random.Generator) -> None:
    net = fastmlp.Network([5, 40, 33, 3], ["gelu", "tanh"], "softmax", dtype=dtype, random_state=0)
    X = rng.standard_normal((70, 5))
    net.save(path)
    assert fastmlp.load(path).predict(X).tobytes() == net.predict(X).tobytes()


def test_load_functions(path: Path) -> None:
    fastmlp.Network([2, 3, 1]).save(path)
    assert type(fastmlp.load(path)) is fastmlp.Network
    assert type(reference.load(str(path))) is reference.Network


@pytest.mark.parametrize("extra", [None, {}, {"features": ["a", 'quo"te', "ß\n"], "mean": [0.1, -1e300], "n": 0}])
def test_extra_comes_back(path: Path, extra: dict[str, Any] | None) -> None:
    files.save(reference.Network([1, 1]), path, extra)
    assert files.load(path, reference.Network)[1] == extra


def test_same_network_same_bytes(path: Path) -> None:
    contents = set()
    for network_class in TWINS * 2:
        net = network_class([2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 1], random_state=0)  # W10 is between W1 and W2
        files.save(net, path, {"class": 'ü "quoted"\n'})
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_tensors_have_the_bytes_of_the_library(rng: np.random.Generator) -> None:
    arrays: dict[str, Array] = {
        f"{name}-{shape}": (100 * rng.random(shape)).astype(code)
        for name, code in tensors.DTYPES.items()
        for shape in [(2, 3), (), (0,), (4, 0, 2), (7,)]
    }
    arrays |= {"transposed": arrays["F32-(2, 3)"].T, "every other": arrays["F64-(7,)"][::2], "ß": np.zeros(1)}
    metadata = {"fastmlp": json.dumps({"a": 'ß"\n\\'})}
    content = tensors.save(arrays, metadata)
    assert content == fastmlp.tensors.save(arrays, metadata)
    for codec in (tensors, fastmlp.tensors):
        loaded = codec.load(content)
        assert set(loaded) == set(arrays)
        for name, a in arrays.items():
            np.testing.assert_array_equal(loaded[name], a, strict=True)
            loaded[name][...] = 0


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("network_class", TWINS)
def test_any_program_reads_its_tensors(path: Path, network_class: Any, dtype: str, bias: bool) -> None:
    net = network_class([2, 3, 4, 1], bias=bias, dtype=dtype, random_state=0)
    net.parameters[:] += 0.5
    files.save(net, path, {"target": "ü"})
    with safetensors.safe_open(path, "np") as file:
        names = {f"W{l}": W for l, W in enumerate(net.weights, 1)} | {f"b{l}": b for l, b in enumerate(net.biases, 1)}
        assert set(file.keys()) == set(names)
        for name, array in names.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)
            assert file.get_tensor(name).dtype == dtype
        described = json.loads(file.metadata()["fastmlp"])
        assert described["network"]["layer_sizes"] == [2, 3, 4, 1]
        assert described["table"] == {"target": "ü"}


ALONE = """
import sys
sys.modules.update({name: None for name in ("safetensors", "fastmlp", "scipy", "sklearn")})
import numpy as np
import reference
net = reference.load(sys.argv[1])
np.save(sys.argv[2], net.predict(np.load(sys.argv[2])))
net.save(sys.argv[1])
"""


def test_the_reference_needs_numpy_alone(path: Path, tmp_path: Path, rng: np.random.Generator) -> None:
    shutil.copytree(Path(reference.__file__).parent, tmp_path / "reference")
    net = fastmlp.Network([5, 30, 20, 2], ["gelu", "tanh"], "softmax", random_state=0)
    net.save(path)
    before, X = path.read_bytes(), rng.standard_normal((100, 5)).astype("f4")
    np.save(tmp_path / "X.npy", X)
    subprocess.run([sys.executable, "-c", ALONE, path, "X.npy"], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "X.npy"), net.predict(X), rtol=0, atol=1e-6)
    assert path.read_bytes() == before


def test_the_library_is_imported_where_it_is_used() -> None:
    script = "import sys, fastmlp; assert 'safetensors' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", ["network32", "network64", "classifier", "pipeline"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("network_class", TWINS)
def test_files_of_every_version_load_for_ever(path: Path, version: int, name: str, network_class: Any) -> None:
    golden = GOLDEN / f"models-{version}" / f"{name}.safetensors"
    net, extras = files.load_all(golden, network_class)
    files.save(net, path, extras.get("estimator"), "estimator")
    assert path.read_bytes() == (GOLDEN / "models-2" / f"{name}.safetensors").read_bytes()


@pytest.mark.parametrize("network_class", TWINS)
def test_every_truncation_is_noticed(path: Path, network_class: Any) -> None:
    files.save(reference.Network([1, 2, 1]), path, {"features": ["a"]})
    raw = path.read_bytes()
    for n in range(len(raw)):
        path.write_bytes(raw[:n])
        with pytest.raises(ValueError, match=r"model\.safetensors: "):
            files.load(path, network_class)
    path.write_bytes(raw + b"\0")
    with pytest.raises(ValueError, match="its checksum does not agree"):
        files.load(path, network_class)


@pytest.mark.parametrize("mask", [*(1 << bit for bit in range(8)), 0xFF])
@pytest.mark.parametrize("name", ["models-1/network32", "models-2/network32"])
def test_every_changed_byte_is_noticed(path: Path, name: str, mask: int) -> None:
    raw = (GOLDEN / f"{name}.safetensors").read_bytes()
    path.write_bytes(raw)
    with path.open("r+b", buffering=0) as file:
        for i, byte in enumerate(raw):
            file.seek(i)
            file.write(bytes([byte ^ mask]))
            with pytest.raises(ValueError, match=r"model\.safetensors: "):
                files.load(path, TWINS[i % 2])  # the same code notices it, whatever reads the tensors
            file.seek(i)
            file.write(bytes([byte]))
    files.load(path, reference.Network)


def test_random_files_are_no_models(path: Path) -> None:
    rng = np.random.default_rng(0)
    for n in range(0, 300, 7):
        path.write_bytes(rng.bytes(n))
        with pytest.raises(ValueError, match="not a fastmlp model"):
            files.load(path, reference.Network)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activations": ["relu", "softsine"]}, "unknown"),
        ({"activations": ["relu"]}, "activation names 0 layers"),
        ({"activations": []}, "activations are"),
        ({"activations": "tanh"}, "activations are"),
        ({"activations": [1, 2]}, "must be a string"),
        ({"layer_sizes": [1, 2]}, "activation names 1 layers"),
        ({"layer_sizes": [1, 2, -1]}, "at least 1"),
        ({"layer_sizes": [1, 2.5, 1]}, "must be an integer"),
        ({"layer_sizes": [1, True, 1]}, "must be an integer"),
        ({"layer_sizes": None}, "must be a sequence"),
        ({"layer_sizes": "121"}, "must be a sequence"),
        ({"layer_sizes": [10**30, 10**30, 1]}, "must be at most"),
        ({"layer_sizes": [10**5, 10**5, 1]}, "tensors are not"),
        ({"layer_sizes": [2, 1, 1]}, "tensors are not"),
        ({"bias": False}, "tensors are not"),
        ({"bias": 1}, "True or False"),
        ({"dtype": "float16"}, "unknown dtype"),
        ({"dtype": ["float32"]}, "must be a string"),
        ({"dtype": "float64"}, "tensors are not"),
    ],
)
def test_a_wrong_description_is_refused(path: Path, changes: dict[str, Any], message: str) -> None:
    reference.Network([1, 2, 1], "relu").save(path)
    change_spec(path, **changes)
    with pytest.raises(ValueError, match=message):
        files.load(path, reference.Network)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda h: h["__metadata__"].update(format="fastmlp-model-3"),
            "it is a fastmlp-model-3, and what is read here",
        ),
        (lambda h: h["__metadata__"].update(format="fastmlp-checkpoint-2"), "it is a fastmlp-checkpoint-2"),
        (lambda h: h["__metadata__"].pop("format"), "it is a None"),
        (lambda h: h["__metadata__"].pop("network"), "network is missing"),
        (lambda h: h["__metadata__"].update(network=[1]), "network is missing"),
        (lambda h: h["__metadata__"].update(table=7), "table is missing"),
        (lambda h: h["__metadata__"].update(table=None), "table is missing"),
        (lambda h: h["W1"].update(shape=[2, 1]), "tensors are not"),
        (lambda h: h["W1"].update(dtype="I32"), "tensors are not"),
        (lambda h: h["W1"].update(dtype="BF16"), "its tensors"),
        (lambda h: h["W1"].update(shape=[2**62, 4]), "W1|its tensors: "),
        (lambda h: h["b1"].update(data_offsets=[0, 8]), "b1|its tensors: "),
        (lambda h: h["b2"].update(data_offsets=[24, 2**40]), "b2|its tensors: "),
        (lambda h: h.pop("b2"), "bytes of no tensor|its tensors: "),
        (lambda h: h.update(W3={**h["b2"], "shape": [0], "data_offsets": [28, 28]}), "tensors are not"),
    ],
)
@pytest.mark.parametrize("network_class", TWINS)
def test_a_wrong_header_is_refused(path: Path, network_class: Any, change: Any, message: str) -> None:
    files.save(reference.Network([1, 2, 1]), path, {"a": 1})
    rewrite(path, change)
    with pytest.raises(ValueError, match=rf"model\.safetensors: .*({message})"):
        files.load(path, network_class)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "pt"}, "not a fastmlp model: its header is another's"),
        ({"format_version": "7"}, "it is a fastmlp-model-7"),
        ({"network": "[1]"}, "damaged: its checksum does not agree"),
        ({"network": "{" * 100_000}, "network is not JSON"),
        ({"table": "{"}, "table is not JSON"),
    ],
)
def test_a_wrong_header_of_the_first_version_is_refused(path: Path, changes: dict[str, str], message: str) -> None:
    raw = (GOLDEN / "models-1" / "network32.safetensors").read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + n])
    header["__metadata__"].update(changes)
    text = json.dumps(header, separators=(",", ":")).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + n :])
    with pytest.raises(ValueError, match=message):
        files.load(path, reference.Network)


@pytest.mark.parametrize("n", [2**63, 2**64 - 1, 1 << 25, 700])
def test_a_wrong_header_length_is_refused(path: Path, n: int) -> None:
    reference.Network([1, 2, 1]).save(path)
    path.write_bytes(n.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(ValueError, match="not a fastmlp model"):
        files.load(path, reference.Network)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nonfinite_parameters_are_neither_saved_nor_loaded(path: Path, value: float) -> None:
    net = reference.Network([1, 2, 1])
    net.save(path)
    before = path.read_bytes()
    net.parameters[3] = value
    with pytest.raises(ValueError, match=r"parameters\[3\]"):
        net.save(path)
    assert path.read_bytes() == before
    path.write_bytes(before[:-4] + np.float32(value).tobytes())  # the end of b2
    rewrite(path, lambda header: None)
    with pytest.raises(ValueError, match=r"b2 has \w+ at 0"):
        files.load(path, reference.Network)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.load(tmp_path / "none", reference.Network)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        reference.Network([1, 1]).save(tmp_path / "none" / "model")


@pytest.mark.skipif(os.name == "nt", reason="devices have no folder there")
def test_other_things_than_files_are_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a regular file"):
        reference.Network([1, 1]).save(tmp_path)
    with pytest.raises(ValueError, match="not a regular file"):
        reference.Network([1, 1]).save(os.devnull)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    reference.Network([1, 1]).save(link)
    assert link.is_symlink()
    assert path.is_file()


@pytest.mark.skipif(os.name == "nt", reason="who may read a file is told in another way there")
def test_a_file_that_others_may_not_read_stays_so(path: Path) -> None:
    reference.Network([1, 1]).save(path)
    path.chmod(0o600)
    reference.Network([1, 1]).save(path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("broken", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failed_save_leaves_the_old_file(
    path: Path, broken: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference.Network([1, 2, 1]).save(path)
    before = path.read_bytes()

    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(error) as caught:
        reference.Network([1, 2, 1]).save(path)
    assert getattr(caught.value, "filename", str(path)) == str(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_extra_must_be_json(path: Path) -> None:
    for extra, error in (({"a": object()}, TypeError), ({"a": float("nan")}, ValueError)):
        with pytest.raises(error):
            files.save(reference.Network([1, 1]), path, extra)
    assert not path.exists()
