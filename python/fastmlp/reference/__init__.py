"""The NumPy twin of fastmlp: the same networks, written to be read.

It imports NumPy alone. Its files have the names of those in ``cpp/ops``.
"""

from .network import Network

__all__ = ["Network"]
