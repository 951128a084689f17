"""What docstrings and README show is true."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import inspect
import io
import pkgutil
import re
import warnings
from pathlib import Path
from types import ModuleType

import pytest

import fastmlp
from fastmlp.diagnosis.remedies import REMEDIES
from fastmlp.reference.activations import ACTIVATIONS, LINKS
from fastmlp.reference.initializers import INITIALIZERS
from fastmlp.reference.losses import LOSSES
from fastmlp.reference.optimizers import OPTIMIZERS
from fastmlp.reference.schedules import SCHEDULES

ROOT = Path(__file__).parents[1]
MODULES = sorted(m.name for m in pkgutil.walk_packages(fastmlp.__path__, "fastmlp.") if not m.name.endswith("__main__"))
PUBLIC = [*(thing for thing in (getattr(fastmlp, name) for name in fastmlp.__all__) if callable(thing)), *SCHEDULES]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name: str) -> None:
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_every_public_thing_has_an_example() -> None:
    methods = [
        getattr(fastmlp.Network, n)
        for n in ("from_parameters", "predict", "loss", "gradients", "trace", "jacobian", "train", "to_onnx")
    ]
    for thing in [*PUBLIC, *methods, fastmlp.Network.save, fastmlp.Network.to_c]:
        assert ">>>" in (thing.__doc__ or ""), thing


def test_every_parameter_is_documented() -> None:
    methods = [getattr(fastmlp.Network, n) for n in dir(fastmlp.Network) if not n.startswith("_")]
    things = [*PUBLIC, *filter(inspect.isfunction, methods)]
    things.remove(fastmlp.DivergenceWarning)  # whose parameters are those of all warnings
    for thing in things:
        names = inspect.signature(thing).parameters
        documented = thing.__doc__ or ""
        missing = [n for n in names if n not in ("self", "args", "kwargs") and not re.search(rf"\b{n}\b", documented)]
        assert not missing, (thing, missing)


def test_public_names() -> None:
    assert all(hasattr(fastmlp, name) for name in fastmlp.__all__)
    assert isinstance(fastmlp.reference, ModuleType)


def test_the_reference_imports_numpy_alone() -> None:
    folder = ROOT / "python/fastmlp/reference"
    for path in folder.rglob("*.py"):
        outside = r"\." * (len(path.relative_to(folder).parts) + 1)
        text = path.read_text(encoding="utf-8")
        assert not re.search(rf"^\s*from {outside}|^\s*(from|import) fastmlp", text, re.MULTILINE), path


def python_blocks(text: str) -> list[tuple[str, str]]:
    """Return the blocks of code, each with what the page shows that it prints, if the page does."""
    return re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", text, re.DOTALL)


NUMBER = r"\d[\d,]*\.?\d*(?:e[+-]\d+)?"


def assert_prints(code_prints: str, shown: str) -> None:
    """Times aside, words are the same, and numbers nearly: rounding differs between processors."""
    untimed = [re.sub(rf"{NUMBER} (?=(?:ms|us|s)\b)", "", text) for text in (code_prints, shown)]
    words = [re.sub(NUMBER, "#", text).split() for text in untimed]
    assert words[0] == words[1]
    numbers = [[float(number.replace(",", "")) for number in re.findall(NUMBER, text)] for text in untimed]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.2, abs=0.05)


def test_the_page_on_training_names_everything() -> None:
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    names = [*ACTIVATIONS, *LINKS, *(loss.name for loss in LOSSES.values()), *INITIALIZERS]
    classes = [*OPTIMIZERS, *SCHEDULES, fastmlp.LevenbergMarquardt, fastmlp.LBFGS]
    missing = [name for name in (*names, *(c.__name__ for c in classes)) if not re.search(rf"`{name}[`(]", text)]
    assert not missing


def test_the_page_on_diagnosis_names_every_finding() -> None:
    text = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8")
    assert [kind for kind in REMEDIES if f"`{kind}`" not in text] == []


def test_the_page_for_those_who_switch_names_every_parameter_of_the_estimators() -> None:
    text = (ROOT / "docs/coming-from.md").read_text(encoding="utf-8")
    parameters = {
        **inspect.signature(fastmlp.MLPClassifier).parameters,
        **inspect.signature(fastmlp.MLPRegressor).parameters,
    }
    assert [name for name in parameters if f"`{name}`" not in text] == []


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WITH_PYTHON = [page for page in PAGES if python_blocks(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
def test_the_python_of_pages_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block, shown in python_blocks(page.read_text(encoding="utf-8")):
        if block.startswith(("import ", "from ")):  # it stands by itself; others go on
            names = {}
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(block, page.name, "exec"), names)
        if shown:
            assert_prints(out.getvalue(), shown)
