"""What commands print: JSON, warnings, and bytes on standard output."""

from __future__ import annotations

import json
import sys
from typing import Any

from ..errors import UserError
from ..reference.atomic import write_atomically
from ..reference.sealed import finite


def print_json(value: dict[str, Any]) -> None:
    """Print an object on one line. A number that JSON has no word for, such as NaN, becomes null."""
    write(None, utf_8(json.dumps(finite(value), ensure_ascii=False) + "\n"))


def warn(text: str, quiet: bool) -> None:
    """Tell on standard error what is no mistake, and yet worth knowing."""
    if not quiet:
        print(f"fastmlp: warning: {text}", file=sys.stderr)


def write(path: str | None, content: bytes) -> None:
    """Write a whole file, or to standard output if the path is None or "-"; UserError if that fails."""
    if path in (None, "-"):
        sys.stdout.flush()
        sys.stdout.buffer.write(content)  # UTF-8 like a file, whatever the terminal's encoding
        return
    try:
        write_atomically(str(path), [content])
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None


def utf_8(text: str) -> bytes:
    """Return text as UTF-8; what of a file's name was none is written as ``\\udcff``, which is JSON's form too."""
    return text.encode("utf-8", "backslashreplace")
