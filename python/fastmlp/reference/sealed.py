"""Files of tensors of which no byte can change unnoticed: what models and checkpoints have in common.

Each is a safetensors file with one entry of metadata: ``fastmlp``, a JSON object that begins with
``{"sha256":"...","format":"..."``. The digest is that of the whole file with its own 64 digits written as zeros. It is
one entry because the library writes several in an order that changes from process to process.

Files of the first version have ``format``, ``sha256`` and others as entries of their own, and the digest is the same.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from typing import Any, BinaryIO, Protocol

from .arrays import Array
from .atomic import write_atomically


class Codec(Protocol):
    """What makes bytes of tensors, and tensors of bytes: :mod:`.tensors`, or the library."""

    def save(self, tensors: dict[str, Array], metadata: dict[str, str]) -> bytes:
        """Return a file."""

    def load(self, content: bytes) -> dict[str, Array]:
        """Return what a file holds."""


# The library reads no longer ones.
MAX_HEADER = 100_000_000

# What a description that is not what it should be may lead to.
REFUSED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

NO_DIGEST = b"0" * 64
SEALS = (
    re.compile(rb'"fastmlp":"\{\\"sha256\\":\\"([0-9a-f]{64})\\"'),
    re.compile(rb'\{"__metadata__":\{"format":"fastmlp[^"]*",(?:"format_version":"[^"]*",)?"sha256":"([0-9a-f]{64})"'),
)


def write(
    path: str | os.PathLike[str],
    codec: Codec,
    format: str,
    described: dict[str, Any],
    tensors: dict[str, Array],
    temporary: str | None = None,
    previous: str | None = None,
) -> None:
    """Write a file, atomically: see :func:`.atomic.write_atomically`.

    Raises
    ------
    ValueError
        If the description is too long or has a number that is not finite, or ``path`` is something else than a file.
    OSError
        If the file cannot be written.
    """
    text = to_json({"sha256": NO_DIGEST.decode(), "format": format, **described})
    content = codec.save(tensors, {"fastmlp": text})
    n_header = int.from_bytes(content[:8], "little")
    if n_header > MAX_HEADER:
        raise ValueError(f"what is beside the arrays takes {n_header} bytes: a file has room for {MAX_HEADER}")
    start = content.index(NO_DIGEST)
    digest = hashlib.sha256(content).hexdigest().encode()
    view = memoryview(content)
    write_atomically(path, (view[:start], digest, view[start + len(digest) :]), temporary, previous)


def read(
    path: str | os.PathLike[str], codec: Codec, formats: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the description and the tensors of a file of one of the formats, the newest of which comes first.

    Raises
    ------
    ValueError
        If the file is no such file, is damaged, or is of another format.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        content, described = _content(file, formats)
    try:
        return described, codec.load(content)
    except REFUSED as error:
        raise ValueError(f"its tensors: {_words(error)}") from None


def refusal(path: str | os.PathLike[str], error: Exception) -> ValueError:
    """Return the error of a file whose description led to one of ``REFUSED``."""
    return ValueError(f"{os.fsdecode(path)}: {_words(error)}")


def finite(value: Any) -> Any:
    """Return a value for JSON, with None for each number that JSON has no word for."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _words(error: Exception) -> str:
    """Return what an error says, after its kind where that is what says it."""
    return str(error) if isinstance(error, (TypeError, ValueError)) else f"{type(error).__name__}: {error}"


def _content(file: BinaryIO, formats: tuple[str, ...]) -> tuple[bytes, dict[str, Any]]:
    """Return a file's bytes and its description. Only what begins as such a file is read as a whole."""
    kind = formats[0].rpartition("-")[0].replace("-", " ")
    size = os.fstat(file.fileno()).st_size
    n_header = int.from_bytes(file.read(8), "little")
    if size < 8 or n_header > min(size - 8, MAX_HEADER):
        raise ValueError(f"not a {kind}, or cut short")
    header = file.read(n_header)
    seal = next(filter(None, (pattern.search(header) for pattern in SEALS)), None)
    if seal is None:
        raise ValueError(f"not a {kind}: its header is another's")
    described = _described(header)
    if described.get("format") not in formats:
        raise ValueError(f"it is a {described.get('format')}, and what is read here is a {' or '.join(formats)}")
    file.seek(0)
    content, digest = file.read(size), hashlib.sha256()
    start, stop = (8 + place for place in seal.span(1))
    for part in (memoryview(content)[:start], NO_DIGEST, memoryview(content)[stop:]):
        digest.update(part)
    if digest.hexdigest() != seal[1].decode():
        raise ValueError("damaged: its checksum does not agree")
    return content, described


def _described(header: bytes) -> dict[str, Any]:
    """Return the description that a header holds."""
    metadata = from_json(header, "header").get("__metadata__")
    if not isinstance(metadata, dict):  # a header may hold the key twice
        raise ValueError("its metadata is not a JSON object")
    if "fastmlp" in metadata:
        return from_json(metadata["fastmlp"], "metadata")
    described = {name: from_json(text, name) for name, text in metadata.items() if str(text).startswith("{")}
    version = metadata.get("format_version")
    return {**described, "format": f"fastmlp-model-{version}" if version else metadata.get("format")}


def to_json(value: object) -> str:
    """Return a value as JSON, without blanks; ValueError if a number is not finite."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def from_json(text: object, name: str) -> dict[str, Any]:
    """Return the object that a JSON text holds; ValueError if it does not."""
    if not isinstance(text, (str, bytes)):
        raise ValueError(f"its {name} is missing")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"its {name} is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"its {name} is not a JSON object")
    return value
