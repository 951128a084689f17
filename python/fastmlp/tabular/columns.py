"""How a column of a table becomes inputs of a network: as a number, one input per value, or a value's place."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..reference.arrays import Array
from .table import Table, is_finite_number, is_missing, shortened


@dataclass
class Column(ABC):
    """A column that a model reads.

    Attributes
    ----------
    name : str
        Its name in tables.
    fill : float or str, optional
        What stands in for missing values; without it they are refused.
    """

    kind: ClassVar[str]
    name: str
    fill: float | str | None = field(default=None, kw_only=True)

    @property
    def input_names(self) -> list[str]:
        """Names of the network's inputs that the column becomes."""
        return [self.name]

    @property
    def is_scaled(self) -> bool:
        """Whether its inputs are standardised."""
        return True

    @property
    @abstractmethod
    def input_fill(self) -> list[float]:
        """What stands in for NaN in each of its inputs, and NaN where nothing does."""

    @abstractmethod
    def encode(self, table: Table) -> Array:
        """Return its inputs for all rows, shape (n, number of inputs); UserError names the cell that has no place."""

    @abstractmethod
    def told(self) -> str:
        """Say in a few words what becomes of it."""

    def _filled(self, table: Table) -> list[str]:
        """Return the cells, with stand-ins for those that are missing."""
        cells = table.cells(self.name)
        if self.fill is not None:
            stand_in = self.fill if isinstance(self.fill, str) else repr(self.fill)
            return [stand_in if self._misses(cell) else cell for cell in cells]
        row = next((row for row, cell in enumerate(cells) if self._misses(cell)), None)
        if row is not None:
            raise table.error(
                row, self.name, f"{what_is_missing(cells[row])}: the model was trained without --impute, which fills it"
            )
        return cells

    def _misses(self, cell: str) -> bool:
        """Tell whether a cell stands for a value that is not there."""
        return is_missing(cell)

    def _filling(self) -> str:
        return (
            "" if self.fill is None else f", {self.fill if isinstance(self.fill, str) else f'{self.fill:g}'} if missing"
        )


@dataclass
class Number(Column):
    """A column of numbers, as they are."""

    kind = "number"

    @property
    def input_fill(self) -> list[float]:
        return [math.nan if self.fill is None else float(self.fill)]

    def encode(self, table: Table) -> Array:
        column = table.finite_numbers(self.name)
        if column is not None:
            return column.reshape(-1, 1)
        cells = self._filled(table)
        row = next((row for row, cell in enumerate(cells) if not is_finite_number(cell)), None)
        if row is not None:
            raise table.error(row, self.name, f"{cells[row]!r} is not a finite number")
        return np.array([[float(cell)] for cell in cells])

    def told(self) -> str:
        return f"a number{self._filling()}"


@dataclass
class Valued(Column):
    """A column that has one of several values in each row."""

    values: Sequence[str]

    def _misses(self, cell: str) -> bool:
        return is_missing(cell) and cell not in self.values  # an order may be given that has "none" in it

    def _places(self, table: Table) -> list[int]:
        """Return each row's place among the values, or -1 for one that is not among them."""
        place = {value: i for i, value in enumerate(self.values)}
        return [place.get(cell, -1) for cell in self._filled(table)]


@dataclass
class OneHot(Valued):
    """One input per value: 1 where the row has it, and 0 elsewhere; all are 0 for a value that is not among them."""

    kind = "one_hot"

    @property
    def input_names(self) -> list[str]:
        return [f"{self.name}={value}" for value in self.values]

    @property
    def is_scaled(self) -> bool:
        return False

    @property
    def input_fill(self) -> list[float]:
        return [math.nan] * len(self.values) if self.fill is None else [float(v == self.fill) for v in self.values]

    def encode(self, table: Table) -> Array:
        # The last row of zeros is what the place -1 takes.
        rows: Array = np.vstack([np.eye(len(self.values)), np.zeros((1, len(self.values)))])
        return rows[self._places(table)]

    def told(self) -> str:
        return f"one input for each of {len(self.values)} values: {shortened(self.values)}{self._filling()}"


@dataclass
class Ordinal(Valued):
    """The place of the row's value, counted from 0."""

    kind = "ordinal"

    @property
    def input_fill(self) -> list[float]:
        return [math.nan if self.fill is None else float(list(self.values).index(str(self.fill)))]

    def encode(self, table: Table) -> Array:
        places = self._places(table)
        if -1 in places:
            row = places.index(-1)
            known = shortened(map(repr, self.values))
            raise table.error(row, self.name, f"{table.cells(self.name)[row]!r} has no place in the order {known}")
        return np.array(places, np.float64).reshape(-1, 1)

    def told(self) -> str:
        return f"the place in the order {shortened(self.values)}{self._filling()}"


def what_is_missing(cell: str) -> str:
    """Say how a cell shows that its value is missing."""
    return f"{cell!r} stands for a missing value" if cell else "the cell is empty"


KINDS: dict[str, type[Column]] = {kind.kind: kind for kind in (Number, OneHot, Ordinal)}
