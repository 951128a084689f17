"""What becomes of each column of a table that a model is to be trained on."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserError
from ..reference.arrays import Array
from .columns import Column, Number, OneHot, Ordinal, what_is_missing
from .table import Table, in_order, is_finite_number, is_missing, is_number

# A column of text becomes one input per value up to so many of them; one that was named, up to so many more.
MAX_VALUES, MAX_VALUES_OF_NAMED = 20, 1000

IMPUTATIONS = ("mean", "median", "most_frequent")


@dataclass
class Choices:
    """What the user asked for.

    Attributes
    ----------
    one_hot : list of str
        Columns to be taken as one input per value, whatever is in them.
    ordinal : dict of str to list of str
        Columns to be taken as places in an order; an empty one stands for the sorted values.
    impute : str, optional
        What stands in for missing numbers, one of ``IMPUTATIONS``; for text it is the most frequent value.
    """

    one_hot: Sequence[str] = ()
    ordinal: dict[str, list[str]] = field(default_factory=dict)
    impute: str | None = None


def choose(table: Table, features: Sequence[str], choices: Choices, rows: Array) -> list[Column]:
    """Return what becomes of the features. Values, means and so on are those of the training ``rows``.

    Raises
    ------
    UserError
        If a cell is missing, a column holds both numbers and text, or has too many values; it says what to do.
    """
    table.check_names([*features, *choices.one_hot, *choices.ordinal])
    for name in (*choices.one_hot, *choices.ordinal):
        if name not in features:
            raise UserError(f"{table.source}: column {name!r} is not among those to predict from")
        if name in choices.one_hot and name in choices.ordinal:
            raise UserError(f"column {name!r} is in --one-hot and in --ordinal: it can be one of them")
    training = rows.tolist()
    return [_column(table, name, choices, training) for name in features]


def _column(table: Table, name: str, choices: Choices, rows: list[int]) -> Column:
    named = name in choices.one_hot or name in choices.ordinal
    numbers = None if named else table.finite_numbers(name)
    if numbers is not None:
        return Number(name, fill=choices.impute and _fill_of_numbers(numbers[rows], choices.impute))
    cells = table.cells(name)
    given = choices.ordinal.get(name, [])
    if choices.impute is None:
        _refuse_missing(table, name, cells, given)
    present = [cells[row] for row in rows if cells[row] in given or not is_missing(cells[row])]
    if not present:
        raise UserError(
            f"{table.source}, column {name!r}: no row to train on has a value: --drop {shlex.quote(name)} leaves it out"
        )
    if not named and any(map(is_number, cells)):
        _refuse_text(table, name, cells)
        return Number(name, fill=_fill_of_numbers(np.array(list(map(float, present))), str(choices.impute)))
    fill = None if choices.impute is None else _most_frequent(present)
    if name in choices.ordinal:
        return _ordinal(table, name, given, fill)
    values = in_order(present)
    most = MAX_VALUES_OF_NAMED if named else MAX_VALUES
    if len(values) > most:
        word = shlex.quote(name)
        raise UserError(
            f"{table.source}, column {name!r}: text of {len(values)} different values, and {most} are the most for one "
            f"input each: --ordinal {word} takes their order, --drop {word} leaves the column out"
        )
    return OneHot(name, values, fill=fill)


def _ordinal(table: Table, name: str, given: list[str], fill: str | None) -> Ordinal:
    """Return a column of places; UserError if a value is not in the order that was given."""
    column = Ordinal(name, given or in_order(c for c in table.cells(name) if not is_missing(c)), fill=fill)
    column.encode(table)
    return column


def _refuse_missing(table: Table, name: str, cells: list[str], given: list[str]) -> None:
    """Raise UserError if a cell is missing, and is not a value of the order that was given."""
    row = next((row for row, cell in enumerate(cells) if is_missing(cell) and cell not in given), None)
    if row is not None:
        raise table.error(
            row, name, f"{what_is_missing(cells[row])}: fill it in, or let --impute {' or '.join(IMPUTATIONS)} do so"
        )


def _refuse_text(table: Table, name: str, cells: list[str]) -> None:
    """Raise UserError if a column of numbers holds anything else."""
    bad = next((r for r, cell in enumerate(cells) if not is_missing(cell) and not is_finite_number(cell)), None)
    if bad is None:
        return
    what = f"{cells[bad]!r} is not a finite number"
    if not is_number(cells[bad]):
        row = next(row for row, cell in enumerate(cells) if is_number(cell))
        what += f", as {cells[row]!r} in {table.place(row)} is: --one-hot {shlex.quote(name)} takes all as text"
    raise table.error(bad, name, what)


def _fill_of_numbers(present: Array, impute: str) -> float:
    """Return what stands in for missing numbers; the smallest of several that are the most frequent."""
    if impute == "most_frequent":
        values, counts = np.unique(present, return_counts=True)
        return float(values[counts.argmax()])
    with np.errstate(over="ignore"):
        return float(np.mean(present) if impute == "mean" else np.median(present))


def _most_frequent(present: list[str]) -> str:
    """Return the most frequent value; the first one in the order of text of several."""
    counts = Counter(present)
    return min(counts, key=lambda value: (-counts[value], value))
