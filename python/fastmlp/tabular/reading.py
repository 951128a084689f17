"""Reading tables: CSV and Parquet, from a file or standard input."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..errors import UserError
from . import csv_files, parquet_files
from .table import Table

READERS = {"csv": csv_files.parse, "parquet": parquet_files.parse}
SUFFIXES = {".parquet": "parquet", ".pq": "parquet"}


def read_table(path: str, kind: str | None = None) -> Table:
    """Read a table from a file.

    Parameters
    ----------
    path : str
        The file, or "-" for standard input.
    kind : {"csv", "parquet"}, optional
        What is in it; by default Parquet in files that end in .parquet or .pq, and CSV in others.

    Returns
    -------
    Table
        At least one row.

    Raises
    ------
    UserError
        If there is no such file, or it is no such table; it names the place.
    """
    source = "standard input" if path == "-" else path
    return READERS[kind or kind_of(path)](_read_bytes(path, source), source)


def kind_of(path: str) -> str:
    """Return what a file holds by the ending of its name."""
    return SUFFIXES.get(os.path.splitext(path)[1].lower(), "csv")


def _read_bytes(path: str, source: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        raise UserError(f"{source}: {getattr(error, 'strerror', None) or error}") from None
