"""
Watch a network learn
=====================

A :class:`fastmlp.plot.Recorder` keeps snapshots of a run. What it has kept becomes a GIF, a video, or a page with a
slider that replays the run in the browser.
"""

import numpy as np

import fastmlp
from fastmlp import plot

# %%
# Three spirals, each a class. The recorder is a callback like any other.

rng = np.random.default_rng(0)
arm = rng.integers(3, size=300)
radius = np.sqrt(rng.uniform(0.01, 1, arm.size))
angle = 6 * radius + 2 * np.pi * arm / 3 + rng.normal(scale=0.1, size=arm.size)
X = 3 * np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

net = fastmlp.Network([2, 32, 32, 3], "tanh", "softmax", random_state=0)
recorder = plot.Recorder(every=5)
net.train(
    X,
    arm,
    epochs=100,
    batch_size=32,
    loss="log_loss",
    optimizer=fastmlp.Adam(0.004),
    validation_data=0.2,
    random_state=0,
    callbacks=[recorder],
)

# %%
# With two inputs, the picture is that of the regions of the classes. White is where two of them are equally likely. The
# first argument may be a file, whose name says the format: ``.gif``, or ``.mp4`` where ffmpeg is installed.

recorder.animate()

# %%
# The weights of the same run, as a page. In a notebook it appears below; ``recorder.replay("weights.html")`` writes it
# to a file.

recorder.replay(kind="weights", title="The weights")
