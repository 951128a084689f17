"""Update rules: how a gradient becomes a step, and the state that a rule carries along.

The compiled core takes the same objects. Each rule name is a struct in ``cpp/ops/optimizers.h``
whose hyperparameters and slots have the names, and the order, given here.
"""

from .adaptive import Adagrad, Adam, AdamW, NAdam, RMSprop
from .base import Optimizer
from .descent import SGD
from .signs import Lion, Rprop

__all__ = ["OPTIMIZERS", "RULES", "SGD", "Adagrad", "Adam", "AdamW", "Lion", "NAdam", "Optimizer", "RMSprop", "Rprop"]

# Every optimizer.
OPTIMIZERS: tuple[type[Optimizer], ...] = (SGD, Adagrad, RMSprop, Adam, AdamW, NAdam, Lion, Rprop)

# Every rule of the core, by name and in its order, with an object that uses it.
RULES: dict[str, Optimizer] = {
    optimizer.rule: optimizer
    for optimizer in (
        SGD(),
        SGD(momentum=0.9),
        SGD(momentum=0.9, nesterov=True),
        Adagrad(),
        RMSprop(),
        Adam(),
        NAdam(),
        Lion(),
        Rprop(),
    )
}
