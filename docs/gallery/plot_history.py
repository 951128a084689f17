"""
The course of training
======================

Losses, metrics and the learning rate over the epochs: :func:`fastmlp.plot.history`. The best epoch is marked. Here a
network learns handwritten digits while a schedule raises and lowers its learning rate.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastmlp
from fastmlp import plot
from fastmlp.data import load_digits

X, labels = load_digits()
Y = np.eye(10)[labels]
test = np.arange(len(X)) % 4 == 0

net = fastmlp.Network([64, 64, 10], "relu", "softmax", random_state=0)
history = net.train(
    X[~test],
    Y[~test],
    epochs=40,
    batch_size=32,
    optimizer=fastmlp.Adam(0.01, schedule=fastmlp.schedules.OneCycle(40)),
    loss="log_loss",
    validation_data=(X[test], Y[test]),
    metrics=["accuracy"],
    random_state=0,
)
figure, ax = plt.subplots(figsize=(11, 3.6), layout="constrained")
plot.history(history, ax=ax)
plt.show()

# %%
# Several runs are compared in one picture, by their names. :func:`fastmlp.plot.losses` draws the first panel alone.


def run(optimizer):
    net = fastmlp.Network([64, 64, 10], "relu", "softmax", random_state=0)
    return net.train(X, Y, epochs=20, batch_size=32, optimizer=optimizer, loss="log_loss", random_state=0)


figure, ax = plt.subplots(layout="constrained")
plot.losses({"SGD": run(fastmlp.SGD(0.1)), "Adam": run(fastmlp.Adam(0.003)), "Lion": run(fastmlp.Lion(0.0005))}, ax=ax)
plt.show()
