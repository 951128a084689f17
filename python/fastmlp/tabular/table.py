"""Tables: named columns of cells, with the place of every mistake."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..reference.arrays import Array

# What programs write for a value that is not there, in lower case.
MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"})


@dataclass
class Table:
    """The cells of a file, as text without surrounding blanks, and where each row stands.

    Attributes
    ----------
    source : str
        Name of the file, for messages.
    names : list of str
        The names of the columns.
    columns : list of list of str
        The cells of each column.
    places : sequence of int
        Where each row is in the file, counted from 1.
    unit : str
        What ``places`` counts: "line" or "row".
    """

    source: str
    names: list[str]
    columns: list[list[str]]
    places: Sequence[int]
    unit: str = "line"

    def __len__(self) -> int:
        return len(self.places)

    def check_names(self, names: Sequence[str]) -> None:
        """Raise UserError if there are no such columns."""
        missing = [name for name in names if name not in self.names]
        if missing:
            raise UserError(f"{self.source}: {self._no_column(missing)}")

    def cells(self, name: str) -> list[str]:
        """Return the cells of a column; UserError if there is no such column."""
        self.check_names([name])
        return self.columns[self.names.index(name)]

    def text(self, name: str) -> list[str]:
        """Return a column as text; UserError if it is not there or a cell is empty."""
        cells = self.cells(name)
        if "" in cells:
            raise self.error(cells.index(""), name, "the cell is empty")
        return cells

    def numbers(self, name: str) -> Array:
        """Return a column as float64; UserError if it is not there or a cell is no finite number."""
        cells = self.cells(name)
        column = self.finite_numbers(name)
        if column is not None:
            return column
        row = next(i for i, cell in enumerate(cells) if not is_finite_number(cell))
        cell = cells[row]
        raise self.error(row, name, f"{cell!r} is not a finite number" if cell else "the cell is empty")

    def weights(self, name: str) -> Array:
        """Return a column of weights as float64; UserError if it is not there, or a cell is no number or negative."""
        weights = self.numbers(name)
        if (weights < 0).any():
            row = int((weights < 0).argmax())
            raise self.error(row, name, f"{weights[row]:g} is negative, and weights are not")
        return weights

    def finite_numbers(self, name: str) -> Array | None:
        """Return a column as float64, or None if a cell is no finite number; UserError if it is not there."""
        cells = self.cells(name)
        # float() takes 1_000 for a number, and nobody who writes it into a table can be sure of that.
        if "_" in "".join(cells):
            return None
        try:
            column = np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            return None
        return column if np.isfinite(column).all() else None

    def place(self, row: int) -> str:
        """Return where a row is, in words."""
        return f"{self.unit} {self.places[row]}"

    def error(self, row: int, name: str, what: str) -> UserError:
        """Return an error that names the place of a cell."""
        return UserError(f"{self.source}, {self.place(row)}, column {name!r}: {what}")

    def _no_column(self, names: list[str]) -> str:
        """Say which columns are missing, and which there are."""
        word = "column" if len(names) == 1 else "columns"
        text = f"no {word} {shortened(map(repr, names))}"
        near = difflib.get_close_matches(names[0], self.names, 3)
        if near:
            return f"{text}; did you mean {' or '.join(map(repr, near))}?"
        return f"{text}; the columns are {shortened(map(repr, self.names))}"


def is_missing(cell: str) -> bool:
    """Tell whether a cell stands for a value that is not there."""
    return cell.lower() in MISSING


def is_finite_number(cell: str) -> bool:
    """Tell whether a cell holds a number that a float64 can hold."""
    return is_number(cell) and "_" not in cell and math.isfinite(float(cell))


def is_number(cell: str) -> bool:
    """Tell whether a cell was meant as a number, be it one that no table should hold, such as inf or 1_000."""
    try:
        return not math.isnan(float(cell))
    except ValueError:
        return False


def shortened(words: Iterable[str], most: int = 8) -> str:
    """Return words with commas between them, and of a long list the first ones."""
    words = list(words)
    more = f", ... ({len(words)} in all)" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def in_order(values: Iterable[str]) -> list[str]:
    """Return the different values in their order: that of numbers, if all are numbers."""
    different = sorted(set(values))
    return sorted(different, key=float) if all(map(is_finite_number, different)) else different
