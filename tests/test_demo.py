"""``fastmlp demo``, and the digits that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.cli import demo, main
from fastmlp.data import load_digits


def test_digits() -> None:
    X, labels = load_digits()
    assert (X.shape, X.dtype.name) == ((1797, 64), "float32")
    assert (labels.shape, labels.dtype.name) == ((1797,), "int64")
    assert (X.min(), X.max()) == (0, 1)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # The first image, as text and as it is in the original: a zero.
    assert (X[0] * 16).astype(int).reshape(8, 8)[0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert labels[:10].tolist() == list(range(10))


def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert "accuracy on the test images   98" in out
    assert "on up to 1 threads" in out
    assert "epoch 100/100" in err
    assert fastmlp.load("digits.safetensors").layer_sizes == demo.LAYER_SIZES


def test_demo_fails_below_its_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "EPOCHS", 1)
    monkeypatch.setattr(demo, "MAX_DIFFERENCE", -1.0)
    assert main(["demo", "--output", str(tmp_path / "net")]) == 1
    out = capsys.readouterr().out
    assert "FAILED: the accuracy is below 96%" in out
    assert "FAILED: the two networks differ" in out


def test_demo_needs_a_place_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--output", str(tmp_path / "none" / "net")]) == 2
    assert capsys.readouterr().err.startswith("fastmlp: ")
