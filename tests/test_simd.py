"""Instruction sets: chosen by the processor or by FASTMLP_SIMD, and none of their code leaks out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import _core

ROOT = Path(__file__).parents[1]


def import_with(value: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import fastmlp; print(fastmlp._core.simd())"],
        env={**os.environ, "FASTMLP_SIMD": value},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", _core.simd_available())
def test_the_variable_forces_an_instruction_set(name: str) -> None:
    assert import_with(name).stdout == name + "\n"


def test_by_default_it_is_the_best_one() -> None:
    assert import_with("").stdout == _core.simd_available()[-1] + "\n"


def test_an_unknown_instruction_set_is_a_clear_error() -> None:
    result = import_with("v33")
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: FASTMLP_SIMD=v33: this build has no such instruction set")
    assert f"available are {', '.join(_core.simd_available())}" in last


def test_an_unavailable_instruction_set_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core, "simd_available", lambda: ["baseline"])
    monkeypatch.setattr(_core, "simd_built", lambda: ["baseline", "v9"])
    with pytest.raises(ImportError, match="FASTMLP_SIMD=v9: this processor does not run it; available are baseline"):
        fastmlp._simd.choose("v9")


def test_the_core_refuses_what_the_processor_does_not_run() -> None:
    with pytest.raises(ValueError, match="no instruction set 'v9' here"):
        _core.use_simd("v9")


def test_find_nonfinite(simd: str) -> None:
    for dtype in (np.float32, np.float64):
        for n in (1, 15, 16, 17, 300, 1200):
            x = np.full(n, np.finfo(dtype).max, dtype)
            assert _core.find_nonfinite(x) == -1
            for value in (np.nan, np.inf, -np.inf):
                for i in {0, n // 3, n // 2, n - 1}:
                    y = x.copy()
                    y[i] = value
                    assert _core.find_nonfinite(y) == i


@pytest.mark.skipif(shutil.which("nm") is None, reason="nm is not installed")
def test_objects_of_instruction_sets_export_their_table_alone() -> None:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    objects = sorted(ROOT.glob(f"build/{python}-*/CMakeFiles/isa_*.dir/cpp/kernels/isa.cpp.o"))
    if not objects:
        pytest.skip("the package was not built in this tree")
    for path in objects:
        name = path.parts[-4].removeprefix("isa_").removesuffix(".dir")
        listing = subprocess.run(["nm", "-C", path], capture_output=True, text=True, check=True).stdout
        symbols = [line[17:].split(" ", 1) for line in listing.splitlines()]
        defined = [(kind, what) for kind, what in symbols if kind not in "tTrRdDbBU" or kind in "TRDB"]
        assert [what for _, what in defined] == [f"fastmlp::table_{name}"], path


def test_the_binding_refuses_what_it_would_misread() -> None:
    core = _core.NetworkFloat32([2, 1], [("linear", 0.0)], True, fastmlp.Network([2, 1]).parameters)
    X = np.ones((4, 2), np.float32)
    for bad in (X.astype(np.float64), np.asfortranarray(np.ones((4, 2), np.float32)), X[::2], X.tolist()):
        with pytest.raises(TypeError, match="must be a C-ordered array"):
            core.predict(bad, 1)
    for bad in (X[:, :1].copy(), X[0]):
        with pytest.raises(ValueError, match="X"):
            core.predict(bad, 1)
