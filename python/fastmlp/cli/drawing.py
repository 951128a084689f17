"""What the commands that draw have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError


@contextmanager
def drawing(path: Path) -> Iterator[None]:
    """Turn a missing matplotlib, or a file that cannot be written, into one clear line."""
    try:
        yield
    except ImportError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"cannot write {error.filename or path}: {error.strerror or error}") from error
