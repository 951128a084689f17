"""
Predictions and targets
=======================

Predictions against targets, and the residuals beside them: :func:`fastmlp.plot.predictions`. Here a regressor predicts
the course of diabetes for patients that it has not seen.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import fastmlp
from fastmlp import plot

X, X_test, y, y_test = train_test_split(*load_diabetes(return_X_y=True, scaled=False), random_state=0)
mean, scale = X.mean(axis=0), X.std(axis=0)

model = fastmlp.MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", solver="lm", alpha=20, random_state=0)
model.fit((X - mean) / scale, (y - y.mean()) / y.std())
y_hat = model.predict((X_test - mean) / scale) * y.std() + y.mean()

figure, ax = plt.subplots(figsize=(8.4, 3.8), layout="constrained")
plot.predictions(y_test, y_hat, names=["progression"], ax=ax)
plt.show()
