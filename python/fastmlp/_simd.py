"""The instruction set that the environment variable FASTMLP_SIMD asks for."""

from __future__ import annotations

import difflib
import os

from . import _core

VARIABLE = "FASTMLP_SIMD"


def choose(name: str | None) -> None:
    """Use the named instruction set, or the best one for None or an empty name.

    Raises
    ------
    ImportError
        If this build has no such set, or this processor does not run it.
    """
    if not name:
        return
    built, available = _core.simd_built(), _core.simd_available()
    if name in available:
        _core.use_simd(name)
        return
    if name in built:
        why = "this processor does not run it"
    else:
        near = difflib.get_close_matches(name.lower(), built, 1)
        why = "this build has no such instruction set" + (f" (did you mean {near[0]!r}?)" if near else "")
    raise ImportError(f"{VARIABLE}={name}: {why}; available are {', '.join(available)}")


choose(os.environ.get(VARIABLE))
