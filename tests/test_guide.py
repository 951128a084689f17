"""The guide tells of everything that is public."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from operator import attrgetter
from pathlib import Path

import pytest

import fastmlp

DOCS = Path(__file__).parents[1] / "docs"
MODULES = ("fastmlp", "fastmlp.plot", "fastmlp.reference", "fastmlp.schedules")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Give the pages of the API, by the name of what they tell of."""
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("api_pages", DOCS / "api_pages.py")
    assert spec
    assert spec.loader
    sys.modules["api_pages"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name.removesuffix(".rst"): text for name, text in module.pages().items()}


def public(name: str) -> list[str]:
    """Return what a module offers that can be called."""
    module = attrgetter(name.partition(".")[2])(fastmlp) if "." in name else fastmlp
    return [f"{name}.{thing}" for thing in module.__all__ if callable(getattr(module, thing))]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_a_page(module: str, pages: dict[str, str]) -> None:
    importlib.import_module("fastmlp.plot")
    assert [name for name in public(module) if name not in pages] == []


def test_the_estimators_have_pages(pages: dict[str, str]) -> None:
    assert {"fastmlp.MLPClassifier", "fastmlp.MLPRegressor"} <= pages.keys()


def test_every_page_is_in_the_table_of_contents(pages: dict[str, str]) -> None:
    trees = "".join(text.partition(".. toctree::")[2] for text in pages.values())
    assert sorted(re.findall(r"^   \w.* <([\w.-]+)>$", trees, re.MULTILINE)) == sorted(pages.keys() - {"index"})


def test_a_class_has_its_methods_on_its_page_or_on_that_of_its_base(pages: dict[str, str]) -> None:
    for name in dir(fastmlp.Network):
        if not name.startswith("_"):
            assert re.search(rf"\b{name}\b", pages["fastmlp.Network"]), name
    assert "state" in pages["fastmlp.Optimizer"]
    assert "state" not in pages["fastmlp.Adam"]
    assert "set_params" not in pages["fastmlp.MLPClassifier"]  # scikit-learn's


def test_every_page_of_the_guide_is_in_its_table_of_contents() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    trees = "\n".join(re.findall(r"```\{toctree\}\n(.*?)```", index, re.DOTALL))
    listed = set(re.findall(r"^(?:.*<)?([\w/-]+)>?$", trees, re.MULTILINE))
    assert [page.stem for page in DOCS.glob("*.md") if page.stem not in {"index", *listed}] == []


def test_examples_of_the_gallery_have_a_title_and_an_introduction() -> None:
    scripts = sorted((DOCS / "gallery").glob("*.py"))
    assert scripts
    for script in scripts:
        assert script.name.startswith("plot_"), script
        title, line, blank, introduction, *_ = (inspect.cleandoc(docstring(script))).splitlines()
        assert len(line) >= len(title), script
        assert set(line) == {"="}, script
        assert not blank, script
        assert introduction, script


def docstring(script: Path) -> str:
    found = re.match(r'"""\n?(.*?)"""', script.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"{script} does not begin with a docstring"
    return found[1]
