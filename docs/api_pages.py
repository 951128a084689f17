"""The pages of the API: which names there are is read from the package, and told nowhere else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import fastmlp
import fastmlp.plot
from fastmlp import estimators
from fastmlp.reference import activations, losses, metrics, results
from fastmlp.reference.c_export import report
from fastmlp.reference.solvers import Solver

Things = dict[str, Any]


@dataclass
class Group:
    """A part of the table of contents: what is in it, by the name that users import it by."""

    title: str
    things: Things
    module: ModuleType | None = None


def groups() -> list[Group]:
    """Return all that is public, each thing once, in the order of the pages."""
    package = _public(fastmlp, "fastmlp")
    modules = {f"fastmlp.{name}": getattr(fastmlp, name) for name in (*fastmlp.__all__, "plot")}
    modules = {name: module for name, module in modules.items() if inspect.ismodule(module)}
    take = partial(_take, package)
    found = [
        Group("Networks", take(lambda thing: thing is fastmlp.Network)),
        Group("Estimators", _public(estimators, "fastmlp")),
        Group("Update rules", take(lambda thing: _is_class_of(thing, fastmlp.Optimizer))),
        Group("Solvers", take(lambda thing: _is_class_of(thing, Solver))),
        Group("Callbacks", take(lambda thing: any(hasattr(thing, event) for event in EVENTS))),
        Group("Functions", take(inspect.isfunction)),
        Group("Results", package | _own_classes(results) | _own_classes(report)),
    ]
    found += [Group(name, _public(module, name), module) for name, module in modules.items()]
    return found + [Group(module.__name__, _by_name(listed), module) for module, listed in LISTS]


# What has a name in training; the tables of the guide tell the names, and these pages the formulas.
LISTS: list[tuple[ModuleType, Things]] = [
    (activations, {**activations.ACTIVATIONS, **activations.LINKS}),
    (losses, losses.LOSSES),
    (metrics, metrics.METRICS),
]

EVENTS = ("on_train_begin", "on_epoch_end", "on_train_end")


def _public(module: ModuleType, prefix: str) -> Things:
    things = {f"{prefix}.{name}": getattr(module, name) for name in module.__all__}
    return {name: thing for name, thing in things.items() if callable(thing)}


def _by_name(listed: Things) -> Things:
    return {f"{thing.__module__}.{thing.__name__}": thing for thing in listed.values()}


def _take(things: Things, test: Callable[[Any], bool]) -> Things:
    return {name: things.pop(name) for name in list(things) if test(things[name])}


def _is_class_of(thing: Any, base: type) -> bool:
    return inspect.isclass(thing) and issubclass(thing, base)


def _own_classes(module: ModuleType) -> Things:
    classes = dict(inspect.getmembers(module, inspect.isclass))
    return {f"{module.__name__}.{n}": cls for n, cls in classes.items() if cls.__module__ == module.__name__}


def members(cls: type, elsewhere: set[type]) -> list[str]:
    """Return the methods and properties that a class has from fastmlp and that no page of a base tells of."""
    return [name for name in dir(cls) if not name.startswith("_") and _is_told(cls, name, elsewhere)]


def _is_told(cls: type, name: str, elsewhere: set[type]) -> bool:
    thing = getattr(cls, name)
    function = thing.fget if isinstance(thing, property) else thing
    owner = next(base for base in cls.__mro__ if name in base.__dict__)
    is_ours = inspect.isroutine(function) and (getattr(function, "__module__", "") or "").startswith("fastmlp")
    return is_ours and (owner is cls or owner not in elsewhere)


def pages() -> dict[str, str]:
    """Return the text of every page, by the name of its file: of the API, of its groups, and of each thing."""
    found = groups()
    classes = {thing for group in found for thing in group.things.values() if inspect.isclass(thing)}
    told = {"index": _index(found), **{_file(group): _contents(group) for group in found}}
    told |= {name: _page(name, thing, classes) for group in found for name, thing in group.things.items()}
    return {f"{name}.rst": text for name, text in told.items()}


def _index(found: list[Group]) -> str:
    tables = [f"{_heading(group.title, '-')}\n{_table(group)}" for group in found]
    tree = _tree({group.title.removeprefix("fastmlp."): _file(group) for group in found})
    return "\n".join([_heading("API"), INTRODUCTION, *tables, tree])


INTRODUCTION = """\
Everything that is public, from the docstrings: what a thing takes, gives back and raises, with an example that the
tests run.
"""


def _contents(group: Group) -> str:
    introduction = f".. module:: {group.title}\n\n{_first(group.module)}\n\n.. currentmodule:: None\n"
    tree = _tree({name.rpartition(".")[2]: name for name in group.things})
    return "\n".join([_heading(group.title), introduction if group.module else "", _table(group), tree])


def _page(name: str, thing: Any, classes: set[type]) -> str:
    title = name.removeprefix("fastmlp.").removeprefix("reference.results.").removeprefix("reference.c_export.report.")
    directive = f".. autofunction:: {name}\n"
    if inspect.isclass(thing):
        own = ", ".join(members(thing, classes))
        directive = f".. autoclass:: {name}\n{f'   :members: {own}' if own else ''}\n"
    return f"{_heading(title)}\n{directive}\n.. minigallery:: {name}\n   :add-heading: In the gallery\n"


def _table(group: Group) -> str:
    return _directive(".. autosummary::", ":nosignatures:", "", *group.things)


def _tree(files: dict[str, str]) -> str:
    """Return a table of contents, with names that are short enough for the sidebar."""
    return _directive(".. toctree::", ":hidden:", "", *(f"{name} <{file}>" for name, file in files.items()))


def _directive(first: str, *lines: str) -> str:
    return "\n".join([first, *(f"   {line}".rstrip() for line in lines), ""])


def _heading(title: str, line: str = "=") -> str:
    return f"{title}\n{line * len(title)}\n"


def _file(group: Group) -> str:
    return group.title.lower().replace(" ", "-")


def _first(module: ModuleType | None) -> str:
    return inspect.cleandoc((module and module.__doc__) or "").split("\n\n")[0]


def write(folder: Path) -> None:
    """Write the pages; those that are as they were keep their date, so that Sphinx leaves them alone."""
    folder.mkdir(exist_ok=True)
    texts = pages()
    for path in folder.glob("*.rst"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
