"""Pictures of networks at work, drawn with matplotlib (``pip install 'fastmlp[plot]'``).

Every function returns a matplotlib Figure of its own, so nothing depends on or changes pyplot's
state; :func:`save` writes one to a file. :class:`Recorder` and :class:`Live` are callbacks for ``train``:
they show a run afterwards, as a moving picture, and while it goes on.
"""

from .functions import activations
from .live import Live
from .progress import convergence, fits, losses
from .recorder import Recorder
from .replay import Replay
from .style import FILE_TYPES, matplotlib, save

__all__ = [
    "FILE_TYPES",
    "Live",
    "Recorder",
    "Replay",
    "activations",
    "convergence",
    "fits",
    "losses",
    "matplotlib",
    "save",
]
