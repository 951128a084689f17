"""
Activation functions
====================

The activation functions and their derivatives: :func:`fastmlp.plot.activations`. Without arguments it draws all of
them; with a network, those that its layers use.
"""

import matplotlib.pyplot as plt

from fastmlp import plot

figure, ax = plt.subplots(layout="constrained")
plot.activations(["relu", "gelu", "tanh", "sigmoid"], ax=ax)
plt.show()
