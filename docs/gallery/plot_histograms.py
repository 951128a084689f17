"""
Weights and gradients
=====================

Histograms of the weights and biases of each layer and, given samples, of their gradients:
:func:`fastmlp.plot.histograms`. Sigmoids one after another let gradients vanish on their way back: those of the first
layer are much smaller than those of the last.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastmlp
from fastmlp import plot
from fastmlp.data import load_digits

X, labels = load_digits()
net = fastmlp.Network([64, 32, 32, 32, 10], "sigmoid", "softmax", random_state=0)
figure, ax = plt.subplots(figsize=(9.6, 6.4), layout="constrained")
plot.histograms(net, X, np.eye(10)[labels], loss="log_loss", ax=ax)
plt.show()
