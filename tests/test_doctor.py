"""``fastmlp doctor``."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import _core
from fastmlp.cli import doctor, main


def test_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    before = _core.simd()
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert _core.simd() == before
    assert f"NumPy                   {np.__version__}" in out
    for isa in _core.simd_available():
        for dtype in doctor.DTYPES:
            assert f"\n{isa} {dtype} " in out
    assert out.endswith("all is well\n")


@pytest.mark.parametrize("error", [1.0, np.nan])
def test_a_wrong_result_is_found(
    error: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _core.simd()
    monkeypatch.setattr(doctor, "_gradient_error", lambda name, dtype: error if name == "tanh" else 0.0)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "DISAGREE" in out
    assert "(tanh)" in out
    assert "FAILED" in out
    assert _core.simd() == before
