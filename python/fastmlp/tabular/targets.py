"""The column that is to be predicted: numbers, or classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..reference.arrays import Array
from .columns import what_is_missing
from .table import Table, in_order, is_finite_number, is_missing

# One output per class: more of them is a column of identifiers.
MAX_CLASSES = 1000

# Numbers that are few and whole may be meant as classes.
FEW = 10

TASKS = ("auto", "regression", "classification")


@dataclass
class Target:
    """The column to predict.

    Attributes
    ----------
    name : str
        Its name.
    values : ndarray, shape (n,)
        Its numbers, or for classification the place of each row's class.
    classes : list of str
        The classes, in order; empty for regression.
    """

    name: str
    values: Array
    classes: list[str]

    @property
    def task(self) -> str:
        """Name of the task."""
        return "classification" if self.classes else "regression"

    def may_be_classes(self) -> bool:
        """Tell whether the numbers look like classes."""
        different = np.unique(self.values)
        return not self.classes and len(different) <= FEW and bool((different == np.round(different)).all())


def find_target(table: Table, name: str, task: str) -> Target:
    """Read the target, and find out what it is if ``task`` is "auto"; UserError names the cell that does not fit."""
    cells = table.text(name)
    if task == "auto":
        task = _task_of(table, name, cells)
    if task == "regression":
        return Target(name, table.numbers(name), [])
    classes = in_order(cells)
    if len(classes) < 2:
        raise UserError(f"{table.source}, column {name!r}: the only class is {classes[0]!r}; there must be two")
    if len(classes) > MAX_CLASSES:
        raise UserError(
            f"{table.source}, column {name!r}: {len(classes)} classes, and {MAX_CLASSES} are the most: "
            "is it the right --target?"
        )
    return Target(name, places_of(table, name, classes), classes)


def places_of(table: Table, name: str, classes: list[str]) -> Array:
    """Return the place of each row's class; UserError names the first cell that is none of them."""
    cells = table.text(name)
    place = {label: k for k, label in enumerate(classes)}
    places = np.array([place.get(cell, -1) for cell in cells], np.int64)
    if (places < 0).any():
        row = int((places < 0).argmax())
        raise table.error(row, name, f"{cells[row]!r} is none of the {len(classes)} classes that the model knows")
    return places


def _task_of(table: Table, name: str, cells: list[str]) -> str:
    """Return what a target's cells ask for; UserError if some are numbers and some are not, or one is missing."""
    n_numbers = sum(map(is_finite_number, cells))
    if 0 < n_numbers < len(cells):
        row = next(i for i, cell in enumerate(cells) if not is_finite_number(cell))
        raise table.error(row, name, f"{cells[row]!r} is no number, as others are (--task classification takes it)")
    missing = [row for row, cell in enumerate(cells) if is_missing(cell)]
    if missing:
        what = what_is_missing(cells[missing[0]])
        raise table.error(missing[0], name, f"{what}: leave the row out (--task classification takes it as a class)")
    return "regression" if n_numbers else "classification"
