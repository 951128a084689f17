"""What commands print: JSON, warnings, and bytes on standard output."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from ..errors import UserError
from ..reference.atomic import write_atomically


def print_json(value: dict[str, Any]) -> None:
    """Print an object on one line. A number that JSON has no word for, such as NaN, becomes null."""
    print(json.dumps(_plain(value), ensure_ascii=False))


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


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
