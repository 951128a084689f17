"""
A network, neuron by neuron
===========================

Every weight as a line whose colour says its sign and whose width says its size, and every bias as the colour of its
neuron: :func:`fastmlp.plot.network`. Here a classifier has learnt to tell wines apart by what they contain.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import plot

wine = load_wine()
model = make_pipeline(StandardScaler(), fastmlp.MLPClassifier((5,), "tanh", alpha=0.1, max_iter=2000, random_state=0))
model.fit(wine.data, wine.target)

figure, ax = plt.subplots(figsize=(8, 6), layout="constrained")
plot.network(model, input_names=wine.feature_names, output_names=wine.target_names, ax=ax)
plt.show()

# %%
# Larger networks are drawn as a summary of their layers.

figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
plot.network(fastmlp.Network([784, 800, 800, 10], "relu", "softmax"), ax=ax)
plt.show()

# %%
# What the neurons do for one wine: :func:`fastmlp.plot.neurons`.

figure, ax = plt.subplots(figsize=(8, 6), layout="constrained")
plot.neurons(model, wine.data[60], input_names=wine.feature_names, output_names=wine.target_names, ax=ax)
plt.show()
