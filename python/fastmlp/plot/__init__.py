"""Pictures of networks at work, drawn with matplotlib (``pip install 'fastmlp[plot]'``).

A function that fills one panel takes ``ax``, a matplotlib Axes, and returns it; one that needs several takes
``figure``, an empty Figure or SubFigure, and returns that. Without, they make a figure of their own, so that nothing
depends on or changes pyplot's state. Notebooks show what is returned where it is a cell's last value; :func:`save`
writes it to a file. For windows, draw into a figure of pyplot: ``plot.network(net, ax=plt.gca())``, and ``plt.show()``.

Colours and lines suit light and dark grounds, such as after ``plt.style.use("dark_background")``.
"""

from .activity import neurons
from .animation import animate_fit
from .classes import confusion_matrix, decision_boundary
from .course import history, losses
from .diagram import network
from .distributions import histograms
from .functions import activations
from .progress import convergence, fits
from .regression import predictions
from .style import FILE_TYPES, matplotlib, save

__all__ = [
    "FILE_TYPES",
    "activations",
    "animate_fit",
    "confusion_matrix",
    "convergence",
    "decision_boundary",
    "fits",
    "histograms",
    "history",
    "losses",
    "matplotlib",
    "network",
    "neurons",
    "predictions",
    "save",
]
