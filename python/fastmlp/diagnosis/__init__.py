"""Why training stalls, in words: one look at a network, its data and its loss curve.

``case`` holds what is looked at and ``subjects`` makes it of networks, estimators and pipelines. A check is a function
of a case in one of the lists below: it gives the findings of what it looks for, and may look at those before it, so
that a cause is told and not its consequences. ``thresholds`` has every line that is drawn, ``remedies`` what to write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..reference.loss_choice import LossSpec
from ..reference.results import History
from ..reference.sparse import InputsLike
from . import curves, inputs, layers, nonfinite, targets
from .case import Case
from .report import ERROR
from .report import Diagnosis as Diagnosis
from .report import Finding as Finding
from .subjects import Given, case_of

CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    *(nonfinite.parameters, *inputs.CHECKS, nonfinite.overflow),
    *(*targets.CHECKS, curves.learning_rate_too_high, *layers.CHECKS, *curves.CHECKS),
)


def diagnose(
    net: Any,
    X: InputsLike,
    Y: npt.ArrayLike,
    history: History | Sequence[float] | None = None,
    *,
    loss: LossSpec | None = None,
    sample_weight: npt.ArrayLike | None = None,
    validation_data: tuple[Any, ...] | None = None,
    optimizer: Any = None,
    feature_names: Sequence[str] | None = None,
) -> Diagnosis:
    """Say in words why training stalls.

    It looks at the data, at one step of the network with up to 10,000 rows (evenly taken, where there are more) and at
    the curves of a run. Nothing is changed: neither the network, nor an optimizer, nor any random numbers.

    Parameters
    ----------
    net : Network, MLPClassifier, MLPRegressor, or what holds one
        A network of either kind, before or after training; a fitted estimator, which brings its loss, its labels and
        its curves; a fitted pipeline that ends in one, whose steps before it transform X; a fitted
        TransformedTargetRegressor, which transforms Y; or a search such as GridSearchCV, for its best estimator.
    X : array_like, DataFrame or sparse matrix, shape (n, n_in)
        Inputs, as training takes them. The columns of a data frame are named in the findings.
    Y : array_like, shape (n, n_out), or (n,) for a single output
        Targets, as training takes them: for a classifier its labels.
    history : History or sequence of float, optional
        What ``train`` returned, or the loss of each epoch. By default that of the estimator.
    loss : str or callable, optional
        The loss that it is trained with. By default that of the estimator, or "squared_error".
    sample_weight : array_like, shape (n,), optional
        Weights of the samples. Those of an estimator's ``class_weight`` multiply them.
    validation_data : tuple, optional
        (X, Y) or (X, Y, sample_weight) that were not trained on, to see what was learnt by heart.
    optimizer : Optimizer or Solver, optional
        The rule that it is trained with, of which other learning rates are tried on copies. By default that of the
        estimator; where it is not known, those of ``Adam()`` are tried.
    feature_names : sequence of str, optional
        Names of the columns of X, if X does not bring them.

    Returns
    -------
    Diagnosis
        The findings; printed, a report. True in a condition if there are none.

    Raises
    ------
    ValueError, TypeError
        If X or Y do not fit the network or the loss, as for :meth:`fastmlp.Network.loss`; but numbers that are not
        finite are found, and not refused.

    See Also
    --------
    find_learning_rate : where a learning rate comes from.
    check_gradients : whether a loss of your own has the right derivatives.

    References
    ----------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.

    Y. LeCun, L. Bottou, G. B. Orr, K.-R. Mueller, "Efficient BackProp", in Neural Networks: Tricks of the Trade, 1998.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 2)) * [1, 1000]
    >>> Y = np.sin(X[:, 0]) + X[:, 1] / 1000
    >>> net = fastmlp.Network([2, 16, 1], random_state=0)
    >>> diagnosis = fastmlp.diagnose(net, X, Y, feature_names=["hours", "metres"])
    >>> for finding in diagnosis.findings:
    ...     print(f"{finding.kind}: {finding.message}")
    ...     print(finding.remedy)
    unscaled_inputs: inputs are not near a mean of 0 and a deviation of 1: column 'metres' (-8.244 +- 967)
    X = (X - X.mean(axis=0)) / X.std(axis=0), with the same numbers for the rows to predict
    >>> bool(fastmlp.diagnose(net, X / [1, 1000], Y))
    True
    """
    given = Given(X, Y, history, loss, sample_weight, validation_data, optimizer, feature_names)
    return examine(case_of(net, given))


def examine(case: Case) -> Diagnosis:
    """Make all checks."""
    J = plain_J = None
    if len(case.rows):
        with np.errstate(all="ignore"):  # numbers that overflow are what is looked for
            for check in CHECKS:
                case.found += check(case)
            J, plain_J = case.J, case.plain_J
    findings = sorted(case.found, key=lambda finding: finding.severity != ERROR)
    return Diagnosis(findings, len(case.rows), case.n_rows, J, plain_J)
