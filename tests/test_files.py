"""The model file: what is saved comes back, what is damaged is noticed, what is there is never lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import reference
from fastmlp.reference import files
from fastmlp.reference.layers import Layers

TWINS = (fastmlp.Network, reference.Network)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def rewrite(path: Path, change: Any) -> None:
    """Change the header of a model file, and give it the digest that it should then have."""
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + n])
    change(header)
    header["__metadata__"]["sha256"] = files.NO_DIGEST
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    length, data = len(text).to_bytes(8, "little"), raw[8 + n :]
    digest = files._digest(length, text, data).encode()
    path.write_bytes(length + text.replace(files.NO_DIGEST.encode(), digest, 1) + data)


def change_spec(path: Path, **changes: Any) -> None:
    """Change the network that a model file describes."""

    def change(header: dict[str, Any]) -> None:
        spec = json.loads(header["__metadata__"]["network"])
        header["__metadata__"]["network"] = json.dumps({**spec, **changes})

    rewrite(path, change)


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


def test_load_functions(path: Path) -> None:
    fastmlp.Network([2, 3, 1]).save(path)
    assert type(fastmlp.load(path)) is fastmlp.Network
    assert type(reference.load(str(path))) is reference.Network


@pytest.mark.parametrize("extra", [None, {}, {"features": ["a", 'quo"te', "ß\n"], "mean": [0.1, -1e300], "n": 0}])
def test_extra_comes_back(path: Path, extra: dict[str, Any] | None) -> None:
    files.save(reference.Network([1, 1]), path, extra)
    assert files.load(path, reference.Network)[1] == extra


def test_same_network_same_bytes(path: Path) -> None:
    net = reference.Network([2, 3, 1], random_state=0)
    net.save(path)
    before = path.read_bytes()
    net.save(path)
    assert path.read_bytes() == before


def test_data_section_is_the_parameters(path: Path) -> None:
    net = reference.Network([2, 3, 1], random_state=0)
    net.save(path)
    assert path.read_bytes().endswith(net.parameters.astype("<f4").tobytes())
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_safetensors_reads_it(path: Path, dtype: str, bias: bool) -> None:
    safetensors = pytest.importorskip("safetensors")
    net = reference.Network([2, 3, 4, 1], bias=bias, dtype=dtype, random_state=0)
    net._parameters += 0.5
    files.save(net, path, {"target": "ü"})
    with safetensors.safe_open(path, "np") as file:
        names = {f"W{l}": W for l, W in enumerate(net.weights, 1)} | {f"b{l}": b for l, b in enumerate(net.biases, 1)}
        assert set(file.keys()) == set(names)
        for name, array in names.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)
            assert file.get_tensor(name).dtype == dtype
        assert file.metadata()["format"] == "fastmlp"


def test_every_truncation_is_noticed(path: Path) -> None:
    files.save(reference.Network([1, 2, 1]), path, {"features": ["a"]})
    raw = path.read_bytes()
    for n in range(len(raw)):
        path.write_bytes(raw[:n])
        with pytest.raises(ValueError, match=r"model\.safetensors: "):
            files.load(path, reference.Network)
    path.write_bytes(raw + b"\0")
    with pytest.raises(ValueError, match="bytes of parameters"):
        files.load(path, reference.Network)


@pytest.mark.parametrize("mask", [*(1 << bit for bit in range(8)), 0xFF])
def test_every_changed_byte_is_noticed(path: Path, mask: int) -> None:
    files.save(reference.Network([1, 2, 1]), path, {"features": ["a"]})
    raw = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for i, byte in enumerate(raw):
            file.seek(i)
            file.write(bytes([byte ^ mask]))
            with pytest.raises(ValueError, match=r"model\.safetensors: "):
                files.load(path, reference.Network)
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
        ({"layer_sizes": [10**5, 10**5, 1]}, "need 40000800004"),
        ({"layer_sizes": [2, 1, 1]}, "need 20"),
        ({"bias": False}, "need 16"),
        ({"bias": 1}, "True or False"),
        ({"dtype": "float16"}, "unknown dtype"),
        ({"dtype": ["float32"]}, "must be a string"),
        ({"dtype": "float64"}, "need 56"),
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
        (lambda h: h["__metadata__"].update(format_version="2"), "version '2' is unknown"),
        (lambda h: h["__metadata__"].update(format="other"), "not a fastmlp model"),
        (lambda h: h["__metadata__"].pop("network"), "network is missing"),
        (lambda h: h["__metadata__"].update(network="[1]"), "not a JSON object"),
        (lambda h: h["__metadata__"].update(network="[" * 100_000), "not JSON"),
        (lambda h: h["__metadata__"].update(table="{"), "table is not JSON"),
        (lambda h: h["__metadata__"].update(table=7), "table is missing"),
        (lambda h: h["W1"].update(shape=[2, 1]), "tensors are not"),
        (lambda h: h["b1"].update(data_offsets=[0, 8]), "tensors are not"),
        (lambda h: h.pop("b2"), "tensors are not"),
        (lambda h: h.update(W3=h["W2"]), "tensors are not"),
    ],
)
def test_a_wrong_header_is_refused(path: Path, change: Any, message: str) -> None:
    files.save(reference.Network([1, 2, 1]), path, {"a": 1})
    rewrite(path, change)
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
    n = int.from_bytes(before[:8], "little")
    path.write_bytes(before[: 8 + n] + net.parameters.tobytes())
    rewrite(path, lambda header: None)
    with pytest.raises(ValueError, match="parameter 3 is"):
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
    with pytest.raises(error):
        reference.Network([1, 2, 1]).save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_extra_must_be_json(path: Path) -> None:
    for extra, error in (({"a": object()}, TypeError), ({"a": float("nan")}, ValueError)):
        with pytest.raises(error):
            files.save(reference.Network([1, 1]), path, extra)
    assert not path.exists()
