"""CSV: text in UTF-8, commas between fields, a first line that names the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from ..errors import UserError
from .table import Table


def parse(raw: bytes, source: str) -> Table:
    """Return the table of a CSV file's bytes; UserError names the line of a mistake."""
    text = _decode(raw, source)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    # One list of all cells: 100,000 lists would keep the garbage collector busy.
    cells: list[str] = []
    lines: list[int] = []
    empty_line = 0
    try:
        names = _header(reader, source)
        for row in reader:
            if not row:
                empty_line = empty_line or reader.line_num
                continue
            if empty_line:
                raise UserError(f"{source}, line {empty_line}: the line is empty, and more rows follow")
            if len(row) != len(names):
                raise UserError(f"{source}, line {reader.line_num}: {_wrong_number(row, names)}")
            cells += row
            lines.append(reader.line_num)
    except csv.Error as error:
        raise UserError(f"{source}, line {reader.line_num}: {error}") from None
    if not lines:
        raise UserError(f"{source}: there is a header and no rows")
    columns = [[cell.strip() for cell in cells[j :: len(names)]] for j in range(len(names))]
    return Table(source, names, columns, lines)


def _wrong_number(row: list[str], names: list[str]) -> str:
    """Say where a row's fields and the columns part."""
    what = f"{len(row)} fields, and the header has {len(names)} columns"
    if len(row) < len(names):
        return f"{what}: there is none for column {names[len(row)]!r}"
    return f"{what}: {row[len(names)].strip()!r} is after the last one, {names[-1]!r}"


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
