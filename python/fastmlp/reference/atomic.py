"""Files that are complete, or are what they were before."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable


def write_atomically(
    path: str | os.PathLike[str],
    parts: Iterable[bytes | memoryview],
    temporary: str | None = None,
    previous: str | None = None,
) -> None:
    """Write a file that is complete, or is what it was before: also when the machine stops halfway.

    It is written as ``temporary``, in the same folder, by default a name that nobody else has, and may be read by those
    who could read the file before. What ``path`` was before is kept as ``previous``, if that is given: between the two
    renamings only that name is there.

    Raises
    ------
    ValueError
        If ``path`` is something else than a file, such as a device.
    OSError
        If the file cannot be written; it names ``path``.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "no such folder", folder)
    if os.path.exists(target) and not os.path.isfile(target):
        raise ValueError(f"{os.fsdecode(path)} is not a regular file")
    if temporary:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # left by a process that was killed
    else:
        temporary = os.path.join(folder, f".fastmlp-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            with contextlib.suppress(OSError):  # where there was no file, or the system knows no permissions
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        if previous and os.path.exists(target):
            os.replace(target, previous)
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):  # which names the temporary file, or none
            raise OSError(error.errno, error.strerror or str(error), os.fsdecode(path)) from error
        raise
    # The new name outlives a power cut only once the folder is on the disk too; some systems cannot do this.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
