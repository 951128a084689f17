"""What the docstrings of both estimators share."""

from __future__ import annotations

import textwrap
from typing import Any, TypeVar

T = TypeVar("T", bound=type[Any])

PARAMETERS = """\
hidden_layer_sizes : int or sequence of int, default (100,)
    Neurons of each hidden layer; () has none.
activation : str or sequence of str, default "relu"
    Activation of the hidden layers, or one for each of them: "identity", "logistic", "tanh", "relu", or any
    other that :class:`fastmlp.Network` knows, such as "gelu" or "leaky_relu(0.2)".
solver : str, Optimizer or Solver, default "adam"
    "adam", "sgd", "adamw", "nadam", "rmsprop", "adagrad" and "lion" take batches; "rprop", "lbfgs" (by SciPy) and
    "lm" (Levenberg-Marquardt, for squared error) take all samples at once. "auto" is "lm" for small smooth
    regression, and "adam" otherwise: the loss is "squared_error"; the network has at most 500 parameters, no more
    than there are targets (samples times outputs), and parameters^2 * targets is at most 2e9; all activations
    are smooth (none of relu, leaky_relu, hard_tanh); and dropout, early_stopping, l1, weight_decay, limits and a
    schedule are off. An object, such as ``fastmlp.Adam(0.01)``, is copied, and has all its numbers itself: alpha
    and what follows it up to epsilon then have no effect.
alpha : float, default 0.0001
    Strength of the L2 penalty: the objective is the mean loss + alpha / (2 m) * sum of squared weights, where m is
    the number of training samples, or the sum of their weights, but 200 at most for solvers that take batches: as in
    scikit-learn with batch_size="auto". Unlike there it does not change with batch_size, and is no part of ``loss_``.
batch_size : int or "auto", default "auto"
    Samples of a batch; "auto" is min(200, n_samples).
learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
    With solver "sgd": learning_rate_init all along; divided by (1 + samples seen)^power_t; or divided by 5
    whenever the run would end for lack of improvement, down to 1e-6.
learning_rate_init : float, default 0.001
    Learning rate of the solvers that take batches, and the first step size of "rprop".
power_t : float, default 0.5
    Power of "invscaling".
max_iter : int, default 200
    The most epochs of a call of ``fit``; iterations of solvers that take all samples at once.
shuffle : bool, default True
    Whether each epoch takes the samples in a new random order.
random_state : int, RandomState, Generator or None, default None
    Source of initial weights, shuffles, dropout and held-out samples. A Generator goes on where it was.
tol : float, default 1e-4
    An epoch that does not improve the training loss, or the validation score, by this counts as none. With solver
    "lbfgs" the run ends where no derivative is larger, and with "lm" where none is larger than tol / 1000.
verbose : bool, default False
    Whether to show progress on stderr.
warm_start : bool, default False
    Whether ``fit`` goes on where the last one ended: network, optimizer, random numbers and count of epochs without
    improvement. Two fits of 10 epochs give the bits of one of 20; only "lbfgs" starts its memory anew. Parameters
    that were set in between are heeded, but layers and activations have to stay.
momentum : float, default 0.9
    Momentum of solver "sgd".
nesterovs_momentum : bool, default True
    Whether it is Nesterov's.
early_stopping : bool, default False
    Whether to look at the score of validation data instead of the training loss, and to keep the weights of the
    best one. The data are those passed to ``fit``, or a fraction held out, stratified for single classes.
validation_fraction : float, default 0.1
    Fraction to hold out for that.
beta_1, beta_2 : float, default 0.9 and 0.999
    Decay of the means of gradients and of their squares, for "adam", "adamw", "nadam" and "lion".
epsilon : float, default 1e-8
    Keeps divisions finite, for "adam", "adamw", "nadam", "rmsprop" and "adagrad".
n_iter_no_change : int or inf, default 10
    Epochs without improvement before the run ends; with inf none of them ends it.
max_fun : int, default 15000
    The most evaluations of the loss by solver "lbfgs".
init : str or callable, default "glorot_uniform"
    How initial weights are drawn, as for :class:`fastmlp.Network`. Biases are drawn in the same limits with the
    default, as scikit-learn does, and start at zero with all others.
dropout : float or sequence of float, default 0.0
    Share of activations to drop, of all hidden layers or of each.
l1 : float, default 0.0
    Strength of a penalty l1 * sum of absolute weights, beside the mean loss.
weight_decay : float, optional
    Decoupled decay of the weights; "adamw" has 0.01 by itself.
clip_value, clip_norm, max_norm : float, optional
    Limits of each derivative, of the gradient's norm, and of the norm of the weights into a neuron.
schedule : Schedule or callable, optional
    Course of the learning rate, from :mod:`fastmlp.schedules`.
scoring : str or callable, optional
    What early_stopping looks at: a scorer as scikit-learn has them, or "loss", the validation loss. By default
    the estimator's ``score``. A scorer that takes sample_weight is given the weights, if there are any.
callbacks : sequence of objects, default ()
    Callbacks as for :meth:`fastmlp.Network.train`.
max_time : float, optional
    Seconds after which a fit ends.
n_jobs : int, optional
    The most threads to use. None is as many as this process may use, or, in a worker of joblib, its share of them.
"""

ATTRIBUTES = """\
network_ : Network
    The network, with all its methods.
history_ : History
    The course of the last call, with the reason why it ended.
coefs_, intercepts_ : list of ndarray
    Weights, shapes (n_in, n_out), and biases, shapes (n_out,): live views into the network.
loss_ : float
    The last epoch's loss, without penalties; that of the final weights for "lbfgs" and "lm".
best_loss_ : float or None
    The lowest loss; None with early_stopping.
loss_curve_, validation_loss_curve_ : list of float
    Loss of every epoch; the latter None without validation data.
validation_scores_ : list of float, or None
    Score of every epoch with early_stopping.
best_validation_score_ : float or None
    The best of them.
n_iter_ : int
    Number of epochs, or iterations, of the last call.
t_ : int
    Number of samples seen.
n_layers_, n_outputs_ : int
    Number of layers, inputs and outputs among them, and of columns of targets.
out_activation_ : str
    Activation of the outputs.
n_features_in_, feature_names_in_
    Number of features, and their names where X has names that are all strings.
"""

FIT = """\
sample_weight : array-like, shape (n_samples,), optional
    Weights of the samples, not negative.
X_val, y_val, sample_weight_val : as X, y and sample_weight, optional
    Validation data, whose loss is recorded, and whose score early_stopping looks at.
coefs_init, intercepts_init : sequences of array-like, optional
    Initial weights and biases of each layer, in the shapes of ``coefs_`` and ``intercepts_``. A fit that goes
    on (warm_start) does not take them.
"""

FIT_ENDS = """\
Raises
------
ValueError, TypeError
    If a parameter or an argument is wrong; an earlier fit stays what it was.

Warns
-----
ConvergenceWarning
    If all of max_iter was used.
DivergenceWarning
    If numbers became too large: the network has the last finite weights.
"""


def with_parameters(cls: T) -> T:
    """Put what both estimators share into the docstrings of a class and of its ``fit``."""
    shared = {"parameters": PARAMETERS, "attributes": ATTRIBUTES, "fit": FIT, "fit_ends": FIT_ENDS}
    for documented in (cls, vars(cls)["fit"]):
        lines = (documented.__doc__ or "").splitlines()
        documented.__doc__ = "\n".join(_filled(line, shared) for line in lines)
    return cls


def _filled(line: str, shared: dict[str, str]) -> str:
    """Return a line, or the text that its name in braces stands for, as far in as the line is."""
    name = line.strip()
    if not (name.startswith("{") and name.endswith("}") and name[1:-1] in shared):
        return line
    return textwrap.indent(shared[name[1:-1]].rstrip(), line[: line.index("{")])
