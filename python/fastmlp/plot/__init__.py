"""Pictures of networks at work, drawn with matplotlib (``pip install 'fastmlp[plot]'``).

Every function takes ``ax``, the matplotlib Axes to draw in. One that fills a single panel returns it; one that needs
several takes as many, or an empty one whose place they share, and returns the figure, or part of one, that they are
in. A figure with ``layout="constrained"`` leaves room for all labels. Without ``ax`` they make a figure of their own,
so that nothing depends on or changes pyplot's state. Notebooks show what is returned where it is a cell's last value;
:func:`save` writes it to a file. For windows, draw into a figure of pyplot: ``plot.network(net, ax=plt.gca())``, and
``plt.show()``.

Colours and lines suit light and dark grounds, such as after ``plt.style.use("dark_background")``.

:class:`Recorder` and :class:`Live` are callbacks for ``train``: they show a run afterwards, as a moving picture, and
while it goes on.
"""

from .activation_functions import activations
from .activity import neurons
from .classes import confusion_matrix, decision_boundary
from .course import history, losses
from .diagram import network
from .distributions import histograms
from .fitting import convergence, fits
from .live import Live
from .recorder import Recorder
from .regression import predictions
from .replay import Replay
from .style import save

__all__ = [
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
