"""Tables in CSV files: reading them into columns, with the place of every mistake."""

from __future__ import annotations

import csv
import difflib
import io
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import UserError
from .reference.arrays import Array


@dataclass
class Table:
    """The cells of a CSV file, as text, and where each row stands.

    Attributes
    ----------
    source : str
        Name of the file, for messages.
    names : list of str
        The names of the columns.
    cells : list of str
        All cells, row after row: one list, because 100,000 lists would keep the garbage collector busy.
    lines : list of int
        The line of the file on which each row ends.
    """

    source: str
    names: list[str]
    cells: list[str]
    lines: list[int]

    def __len__(self) -> int:
        return len(self.lines)

    def text(self, name: str) -> list[str]:
        """Return a column as text without surrounding blanks; UserError if it is missing or a cell is empty."""
        cells = [cell.strip() for cell in self._cells(name)]
        if "" in cells:
            raise self.error(cells.index(""), name, "the cell is empty")
        return cells

    def numbers(self, name: str) -> Array:
        """Return a column as float64; UserError if it is missing or a cell is no finite number."""
        cells = self._cells(name)
        try:
            # float() takes 1_000 for a number, and nobody who writes it into a table can be sure of that.
            if "_" not in "".join(cells):
                column = np.fromiter(map(float, cells), np.float64, len(cells))
                if np.isfinite(column).all():
                    return column
        except ValueError:
            pass
        row = next(i for i, cell in enumerate(cells) if not is_finite_number(cell))
        cell = cells[row].strip()
        raise self.error(row, name, f"{cell!r} is not a finite number" if cell else "the cell is empty")

    def matrix(self, names: Sequence[str]) -> Array:
        """Return columns side by side as float64, shape (n, number of names)."""
        missing = [name for name in names if name not in self.names]
        if missing:
            raise UserError(f"{self.source}: {self._no_column(missing)}")
        a = np.empty((len(self), len(names)))
        for j, name in enumerate(names):
            a[:, j] = self.numbers(name)
        return a

    def error(self, row: int, name: str, what: str) -> UserError:
        """Return an error that names the place of a cell."""
        return UserError(f"{self.source}, line {self.lines[row]}, column {name!r}: {what}")

    def _cells(self, name: str) -> list[str]:
        if name not in self.names:
            raise UserError(f"{self.source}: {self._no_column([name])}")
        return self.cells[self.names.index(name) :: len(self.names)]

    def _no_column(self, names: list[str]) -> str:
        """Say which columns are missing, and which there are."""
        word = "column" if len(names) == 1 else "columns"
        text = f"no {word} {shortened(map(repr, names))}"
        near = difflib.get_close_matches(names[0], self.names, 3)
        if near:
            return f"{text}; did you mean {' or '.join(map(repr, near))}?"
        return f"{text}; the columns are {shortened(map(repr, self.names))}"


def read_csv(path: str) -> Table:
    """Read a CSV file whose first line names its columns.

    Parameters
    ----------
    path : str
        The file, in UTF-8 with or without a byte order mark, or "-" for standard input.

    Returns
    -------
    Table
        At least one row of as many cells as there are columns.

    Raises
    ------
    UserError
        If there is no such file, or it is no such table; it names the line.
    """
    source = "standard input" if path == "-" else path
    text = _decode(_read_bytes(path, source), source)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        header = _header(reader, source)
        cells: list[str] = []
        lines: list[int] = []
        empty_line = 0
        for row in reader:
            if not row:
                empty_line = empty_line or reader.line_num
                continue
            if empty_line:
                raise UserError(f"{source}, line {empty_line}: the line is empty, and more rows follow")
            if len(row) != len(header):
                raise UserError(
                    f"{source}, line {reader.line_num}: {len(row)} fields, and the header has {len(header)} columns"
                )
            cells += row
            lines.append(reader.line_num)
    except csv.Error as error:
        raise UserError(f"{source}, line {reader.line_num}: {error}") from None
    if not lines:
        raise UserError(f"{source}: there is a header and no rows")
    return Table(source, header, cells, lines)


def is_finite_number(cell: str) -> bool:
    """Tell whether a cell holds a number that a float64 can hold."""
    try:
        return "_" not in cell and math.isfinite(float(cell))
    except ValueError:
        return False


def shortened(words: Iterable[str], most: int = 8) -> str:
    """Return words with commas between them, and of a long list the first ones."""
    words = list(words)
    more = f", ... ({len(words)} in all)" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def _read_bytes(path: str, source: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        raise UserError(f"{source}: {getattr(error, 'strerror', None) or error}") from None


def _decode(raw: bytes, source: str) -> str:
    """Return a file's bytes as text without its byte order mark."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UserError(f"{source}, line {line}: not UTF-8 text: byte 0x{raw[error.start]:02x}") from None
    if (at := text.find("\0")) >= 0:
        line = text.count("\n", 0, at) + 1
        raise UserError(f"{source}, line {line}: a NUL character: this is not a text file")
    if not text.strip():
        raise UserError(f"{source}: the file is empty")
    return text


def _header(reader: Iterable[list[str]], source: str) -> list[str]:
    """Return the names of the columns."""
    names = [name.strip() for name in next(iter(reader))]
    if not names:
        raise UserError(f"{source}, line 1: the line is empty, and should name the columns")
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise UserError(f"{source}, line 1: the fields must have commas between them")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UserError(f"{source}, line 1: there are two columns {name!r}")
        seen.add(name)
    return names
