"""Draw docs/spirals.gif: a network learns to tell three spirals apart.

python docs/make_animation.py
"""

from pathlib import Path

import numpy as np

import fastmlp
from fastmlp import plot

rng = np.random.default_rng(0)
arm = rng.integers(3, size=360)
radius = np.sqrt(rng.uniform(0.01, 1, arm.size))
angle = 6 * radius + 2 * np.pi * arm / 3 + rng.normal(scale=0.1, size=arm.size)
X = 3 * np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

net = fastmlp.Network([2, 32, 32, 3], "tanh", "softmax", random_state=0)
recorder = plot.Recorder(every=4)
net.train(
    X,
    arm,
    epochs=100,
    batch_size=32,
    loss="log_loss",
    optimizer=fastmlp.Adam(0.004),
    random_state=0,
    callbacks=[recorder],
)
recorder.animate(Path(__file__).with_name("spirals.gif"), show_loss=False, dpi=80)
