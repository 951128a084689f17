"""Pictures of networks at work, drawn with matplotlib (``pip install 'fastmlp[plot]'``).

Every function returns a matplotlib Figure of its own, so nothing depends on or changes pyplot's
state; :func:`save` writes one to a file.
"""

from .animation import animate_fit
from .functions import activations
from .progress import convergence, fits, losses
from .style import FILE_TYPES, matplotlib, save

__all__ = ["FILE_TYPES", "activations", "animate_fit", "convergence", "fits", "losses", "matplotlib", "save"]
