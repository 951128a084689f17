"""Numbers as they are written: so many significant digits, and no more rows and columns than asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array

# What stands for rows and columns that are left out.
ELLIPSIS = "\u2026"


@dataclass(frozen=True)
class Digits:
    """How numbers are written: significant digits, and the most rows and columns of a matrix."""

    digits: int
    max_size: int

    def text(self, value: Any) -> str:
        """Return a number; a Python number is part of a formula and exact."""
        if not isinstance(value, np.floating):
            short = f"{value:g}"
            return short if float(short) == value else repr(value)
        short = f"{value:.{self.digits}g}"
        return short.lstrip("-") if float(short) == 0 else short

    def rows(self, matrix: Array) -> list[list[str]]:
        """Return the numbers of a matrix, or of a vector as one row."""
        full = np.atleast_2d(matrix)
        rows, columns = (self.shown(n) for n in full.shape)
        return [[ELLIPSIS if i is None or j is None else self.text(full[i, j]) for j in columns] for i in rows]

    def shown(self, n: int) -> list[int | None]:
        """Return which of n places are shown; None stands for those that are left out."""
        if n <= self.max_size:
            return list(range(n))
        head = (self.max_size + 1) // 2
        tail = self.max_size - head
        return [*range(head), None, *range(n - tail, n)]
