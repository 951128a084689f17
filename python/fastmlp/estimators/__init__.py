"""Estimators with scikit-learn's face: its parameters, its methods, its fitted attributes."""

from ..errors import missing_extra

try:
    import sklearn  # noqa: F401  # noticed here, with the command that installs it
except ModuleNotFoundError:
    raise missing_extra("scikit-learn", "sklearn") from None

from .classifier import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
