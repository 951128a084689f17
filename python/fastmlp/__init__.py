"""Train and run multilayer perceptrons on CPUs.

``fastmlp.Network`` computes with compiled kernels, ``fastmlp.reference.Network`` is the same in
NumPy, written to be read. The environment variable FASTMLP_SIMD (baseline, v3, v4 or neon) forces
an instruction set; ``fastmlp doctor`` tells which there are.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import _simd as _simd  # acts when it is imported
from . import reference
from ._core import __version__
from .c_export import to_c
from .callbacks import CSVLog, EarlyStopping, LogToLogger
from .files import load, save
from .lbfgs import LBFGS
from .network import Network
from .onnx_export import to_onnx
from .reference import schedules
from .reference.checkpoints import Checkpoint
from .reference.divergence import DivergenceWarning
from .reference.gradient_check import check_gradients
from .reference.learning_rates import LearningRateRange, find_learning_rate
from .reference.monitor import Callback, State
from .reference.optimizers import SGD, Adagrad, Adam, AdamW, Lion, NAdam, Optimizer, RMSprop, Rprop
from .reference.solvers import LevenbergMarquardt
from .tracking import MLflowLog, OptunaPruning

if TYPE_CHECKING:
    from . import plot as plot
    from .diagnosis import Diagnosis as Diagnosis
    from .diagnosis import Finding as Finding
    from .diagnosis import diagnose as diagnose
    from .estimators import MLPClassifier as MLPClassifier
    from .estimators import MLPRegressor as MLPRegressor

__all__ = [
    "LBFGS",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CSVLog",
    "Callback",
    "Checkpoint",
    "Diagnosis",
    "DivergenceWarning",
    "EarlyStopping",
    "Finding",
    "LearningRateRange",
    "LevenbergMarquardt",
    "Lion",
    "LogToLogger",
    "MLflowLog",
    "NAdam",
    "Network",
    "Optimizer",
    "OptunaPruning",
    "RMSprop",
    "Rprop",
    "State",
    "__version__",
    "check_gradients",
    "diagnose",
    "find_learning_rate",
    "load",
    "reference",
    "save",
    "schedules",
    "to_c",
    "to_onnx",
]

# Modules that are imported where they are used: the estimators need scikit-learn.
_LATER = {
    **dict.fromkeys(("Diagnosis", "Finding", "diagnose"), "diagnosis"),
    **dict.fromkeys(("MLPClassifier", "MLPRegressor"), "estimators"),
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f".{_LATER[name]}", __name__), name)
    if name == "plot":
        return import_module(".plot", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, "plot"})
