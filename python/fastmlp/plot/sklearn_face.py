"""A network that tells classes apart, with the face that scikit-learn's displays look for."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from ..reference.arrays import Array
from ..reference.layers import Layers


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # which have no types
    """The classes 0, 1 ... of a network by itself: the largest of several outputs, or one that is above 0.5."""

    def __init__(self, net: Layers) -> None:
        self.net = net

    def fit(self, X: Any, y: Any) -> NetworkClassifier:
        """Return itself, trained already; scikit-learn takes nothing without it for an estimator."""
        return self

    @property
    def classes_(self) -> Array:
        """The classes."""
        return np.arange(max(2, self.net.layer_sizes[-1]))

    def predict_proba(self, X: Any) -> Array:
        """Return the outputs as shares of their sum, shape (n, n_classes)."""
        outputs = self.net.predict(X)
        if outputs.shape[1] == 1:
            return np.hstack([1 - outputs, outputs])
        total = outputs.sum(axis=1, keepdims=True)
        shares: Array = outputs / np.where(total > 0, total, 1)  # sigmoids may all round to 0
        return shares

    def predict(self, X: Any) -> Array:
        """Return the class of each row."""
        classes: Array = self.predict_proba(X).argmax(axis=1)
        return classes

    def __sklearn_is_fitted__(self) -> bool:
        return True
