"""Pictures of networks at work, drawn with matplotlib (``pip install 'fastmlp[plot]'``).

A function that fills one panel takes ``ax``, a matplotlib Axes, and returns it; one that needs several takes
``figure``, an empty Figure or SubFigure, and returns that. Without, they make a figure of their own, so that nothing
depends on or changes pyplot's state. Notebooks show what is returned where it is a cell's last value; :func:`save`
writes it to a file. For windows, draw into a figure of pyplot: ``plot.network(net, ax=plt.gca())``, and ``plt.show()``.

Colours and lines suit light and dark grounds, such as after ``plt.style.use("dark_background")``.

:class:`Recorder` and :class:`Live` are callbacks for ``train``: they show a run afterwards, as a moving picture, and
while it goes on.
"""

from .activity import neurons
from .classes import confusion_matrix, decision_boundary
from .course import history, losses
from .diagram import network
from .distributions import histograms
from .functions import activations
from .live import Live
from .progress import convergence, fits
from .recorder import Recorder
from .regression import predictions
from .replay import Replay
from .style import FILE_TYPES, save
from .style import matplotlib as matplotlib

__all__ = [
    "FILE_TYPES",
    "Live",
    "Recorder",
    "Replay",
    "activations",
    "confusion_matrix",
    "convergence",
    "decision_boundary",
    "fits",
    "histograms",
    "history",
    "losses",
    "network",
    "neurons",
    "predictions",
    "save",
]
