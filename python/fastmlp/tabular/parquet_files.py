"""Parquet, read and written by pyarrow.

Cells that are read become the text that a CSV file would have, so that both give the same model.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from ..errors import UserError, missing_extra
from .table import Table


def parse(raw: bytes, source: str) -> Table:
    """Return the table of a Parquet file's bytes; UserError if it is none, or a column has no place in a table."""
    check_installed(source)
    import pyarrow as pa
    from pyarrow import compute, parquet

    try:
        read = parquet.read_table(io.BytesIO(raw))
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{source}: not a Parquet file: {str(error).splitlines()[0]}") from None
    names = read.column_names
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{source}: there are two columns {name!r}")
    if not read.num_rows or not names:
        raise UserError(f"{source}: there are columns and no rows" if names else f"{source}: there is no column")
    columns = []
    for name in names:
        column = read[name]
        try:
            text = compute.cast(column, pa.string())
        except pa.ArrowException:
            raise UserError(f"{source}, column {name!r}: cells of type {column.type} have no place here") from None
        columns.append([(cell or "").strip() for cell in text.to_pylist()])
    return Table(source, names, columns, range(1, read.num_rows + 1), unit="row")


def written(names: list[str], columns: Sequence[list[Any]]) -> bytes:
    """Return a file with columns of numbers or of text, each of one type."""
    import pyarrow as pa
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pa.table(dict(zip(names, columns, strict=True))), file)
    return file.getvalue()


def check_installed(path: str) -> None:
    """Raise UserError if pyarrow is not installed."""
    try:
        import pyarrow as pyarrow
    except ImportError:
        raise UserError(f"{path}: {missing_extra('pyarrow', 'parquet')}") from None
