"""
Handwritten digits
==================

A network learns 1,400 of the 1,797 digits that come with the package, and is asked about the others.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastmlp
from fastmlp import plot
from fastmlp.data import load_digits

X, labels = load_digits()
X_train, X_test = X[:1400], X[1400:]

net = fastmlp.Network([64, 32, 10], "relu", "softmax", random_state=0)
history = net.train(
    X_train,
    labels[:1400],
    epochs=40,
    batch_size=32,
    loss="log_loss",
    optimizer=fastmlp.Adam(0.003),
    validation_data=(X_test, labels[1400:]),
    metrics=["accuracy"],
    random_state=0,
)
print(f"{history.metrics['accuracy'][-1]:.1%} of the new ones after {history.seconds:.2f} seconds")

# %%
# Where the loss of new digits no longer falls, the network only learns the old ones by heart.

plot.losses(history)

# %%
# The digits that it is most wrong about: what it takes them for, how sure it is, and what they are.

probabilities = net.predict(X_test)
wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels[1400:])
worst = wrong[np.argsort(-probabilities[wrong].max(axis=1))][:10]

figure, panels = plt.subplots(2, 5, figsize=(8, 4), layout="constrained")
for ax, i in zip(panels.flat, worst, strict=True):
    ax.imshow(X_test[i].reshape(8, 8), cmap="gray_r")
    taken_for = probabilities[i].argmax()
    ax.set_title(f"{taken_for} ({probabilities[i, taken_for]:.0%}), is {labels[1400 + i]}")
    ax.set_axis_off()
