"""
Classes
=======

Which class was taken for which: :func:`fastmlp.plot.confusion_matrix`. It takes classifiers, and networks by
themselves.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import plot
from fastmlp.data import load_digits

X, labels = load_digits()
test = np.arange(len(X)) % 4 == 0
net = fastmlp.Network([64, 32, 10], "relu", "softmax", random_state=0)
net.train(
    X[~test],
    np.eye(10)[labels[~test]],
    epochs=15,
    batch_size=32,
    optimizer=fastmlp.Adam(0.003),
    loss="log_loss",
    random_state=0,
)
figure, ax = plt.subplots(figsize=(6.4, 6), layout="constrained")
plot.confusion_matrix(net, X[test], labels[test], ax=ax)
plt.show()

# %%
# The regions that a model of two inputs gives to its classes: :func:`fastmlp.plot.decision_boundary`. The colours fade
# where the model is not sure.

iris = load_iris()
petals, species = iris.data[:, 2:], iris.target_names[iris.target]
model = make_pipeline(StandardScaler(), fastmlp.MLPClassifier((12,), "tanh", solver="lbfgs", alpha=0.1, random_state=0))
model.fit(petals, species)

figure, ax = plt.subplots(layout="constrained")
plot.decision_boundary(model, petals, species, ax=ax)
ax.set(xlabel=iris.feature_names[2], ylabel=iris.feature_names[3])
plt.show()
