"""Schedules: the factor of the learning rate over the course of training.

A schedule is a function of the position, counted in epochs: the factor of step i of n in epoch e, both
from 0, is that at e + i / n. Positions are counted by the optimizer, from one ``train`` to the next, and where
the length of the whole training matters it is the schedule's own argument: two calls of 10 epochs are one of
20. Only :class:`ReduceOnPlateau` has to see losses, and keeps what it has seen.

Examples
--------
>>> import fastmlp
>>> optimizer = fastmlp.Adam(0.01, schedule=fastmlp.schedules.CosineRestarts(10))
>>> optimizer = fastmlp.SGD(0.1, schedule=lambda epoch: 0.5 ** (epoch // 20))
"""

from .base import Schedule
from .base import factors as factors
from .cycles import CosineRestarts, CosLog4, OneCycle, WarmUp
from .decays import Constant, Exponential, InverseScaling, ReduceOnPlateau, Step

__all__ = [
    "SCHEDULES",
    "Constant",
    "CosLog4",
    "CosineRestarts",
    "Exponential",
    "InverseScaling",
    "OneCycle",
    "ReduceOnPlateau",
    "Schedule",
    "Step",
    "WarmUp",
]

# Every schedule.
SCHEDULES: tuple[type[Schedule], ...] = (
    Constant,
    Step,
    Exponential,
    InverseScaling,
    CosineRestarts,
    OneCycle,
    WarmUp,
    ReduceOnPlateau,
    CosLog4,
)
