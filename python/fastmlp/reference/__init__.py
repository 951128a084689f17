"""The NumPy twin of fastmlp: the same networks, written to be read.

It imports NumPy alone. Its files have the names of those in ``cpp/ops``.
"""

from __future__ import annotations

import os

from . import files
from .network import Network

__all__ = ["Network", "load"]


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network that ``save`` wrote; see :func:`fastmlp.load`.

    Of an estimator, a pipeline or a model of the command line it is the network alone: it takes inputs that are scaled
    already, and gives its outputs as they are.
    """
    return files.load(path, Network)[0]
