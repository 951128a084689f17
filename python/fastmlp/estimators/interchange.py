"""To scikit-learn's own multilayer perceptrons, and from them: parameters, weights, and what a fit has left."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from sklearn import neural_network
from sklearn.base import is_classifier
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..files import save
from ..network import Network
from ..reference import specs
from ..reference.arrays import Array
from ..reference.loss_choice import loss_of
from ..reference.optimizers import SGD, Adam, Optimizer
from ..reference.plateau import Plateau
from ..reference.results import History
from ..reference.solvers import Solver
from . import settings
from .base import Perceptron
from .held import Held
from .stopping import ScoreStopping

Self = TypeVar("Self", bound="Interchangeable")

# scikit-learn's activations of hidden layers, and the outputs that go with its losses.
ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
OUTPUTS = {"log_loss": ("logistic", "softmax"), "squared_error": ("identity",), "poisson": ("exp",)}

# The rules that scikit-learn has too.
THEIR_RULES: dict[type, str] = {SGD: "sgd", Adam: "adam"}

# Fitted attributes that mean the same in both.
SHARED = (
    *("n_features_in_", "feature_names_in_", "classes_", "_label_binarizer", "n_outputs_", "n_iter_", "t_"),
    *("loss_", "best_loss_", "loss_curve_", "validation_scores_", "best_validation_score_"),
)

INSTEAD = "pickle this estimator, or save() its network_, instead"


class Interchangeable(Perceptron):
    """Estimators that scikit-learn has a counterpart of, and that files hold."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a file; :func:`fastmlp.save` says what is in it, and what is raised.

        Parameters
        ----------
        path : str or path-like
            Where. A file that is there is replaced.

        See Also
        --------
        fastmlp.load : reads it.

        Examples
        --------
        >>> import fastmlp, os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
        >>> fastmlp.MLPRegressor(solver="lbfgs", random_state=0).fit([[0.0], [1.0]], [0.0, 1.0]).save(path)
        >>> fastmlp.load(path).predict([[1.0]]).round(2)
        array([1.])
        """
        save(self, path)

    def to_sklearn(self) -> Any:
        """Return a fitted estimator of scikit-learn's own with the same network: the same predictions.

        It needs no fastmlp, neither to be unpickled nor to predict or to be trained further. It has copies of the
        weights, all fitted attributes of scikit-learn's, all parameters that both know and, for solvers "adam" and
        "sgd", the optimizer's state, with which its ``partial_fit`` goes on.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or MLPRegressor

        Raises
        ------
        NotFittedError
            If there is no network yet.
        ValueError
            If scikit-learn's network cannot be this one: it has one activation for all hidden layers ("identity",
            "logistic", "tanh" or "relu"), and the losses "log_loss" or "squared_error" and "poisson", with the outputs
            that go with them.

        Notes
        -----
        What only fastmlp has, such as dropout, l1, callbacks or a schedule, is left behind; it plays no part in
        predictions. A solver that scikit-learn does not have becomes "lbfgs" if it takes all samples at once, as "lm"
        does, and "adam" otherwise; a Generator becomes a RandomState that draws from a copy of it. alpha means the
        same there with the default batch_size; with other batches scikit-learn divides it by their number of samples.

        Examples
        --------
        >>> import fastmlp
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 2.0, 4.0, 6.0]
        >>> model = fastmlp.MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0).fit(X, y)
        >>> theirs = model.to_sklearn()
        >>> type(theirs).__module__.split(".")[0], theirs.predict([[4.0]]).round(3)
        ('sklearn', array([8.]))
        """
        check_is_fitted(self)
        kind = _their_kind(self)
        _check_counterpart(self, kind)
        model = kind(**_their_parameters(self, kind))
        net = self.network_
        _copy_shared(self, model)
        model.coefs_, model.intercepts_ = _arrays(net, net.parameters)
        model._best_coefs, model._best_intercepts = _arrays(net, net.parameters)
        model.n_layers_, model.out_activation_ = self.n_layers_, self.out_activation_
        model._random_state = check_random_state(model.random_state)
        plateau = _plateau(self)
        model._no_improvement_count = plateau.waited if plateau else 0
        if model.solver in THEIR_RULES.values():
            model._optimizer = _their_optimizer(self, model)
        return model

    @classmethod
    def from_sklearn(cls: type[Self], model: Any) -> Self:
        """Return an estimator with the parameters and the network of a fitted one of scikit-learn's.

        It goes on from there with ``warm_start=True`` or ``partial_fit``.

        Parameters
        ----------
        model : sklearn.neural_network.MLPClassifier or MLPRegressor
            The fitted estimator, which stays as it is.

        Returns
        -------
        MLPClassifier or MLPRegressor

        Raises
        ------
        TypeError
            If ``model`` is something else.
        NotFittedError
            If it has no network yet.
        ValueError
            If a parameter is none that an optimizer here takes, such as momentum=1, or a weight is not finite.

        Notes
        -----
        Taken over are the network, in its precision; the curves and counts; what early stopping has seen; and, for
        solvers "adam" and "sgd", the optimizer's moments or velocities, its learning rate and the number of steps, all
        of them exactly. Not taken over: "lbfgs" starts its memory anew, as it does there, and shuffles and held-out
        rows are drawn from random_state anew, by NumPy's newer generators, so that they are other ones. Adam's
        epsilon is added to the mean of squares after the correction for the first steps, and before it there. alpha
        means the same there with the default batch_size; with other batches scikit-learn divides it by their number of
        samples. Losses of scikit-learn's include the penalty.

        Examples
        --------
        >>> import fastmlp
        >>> from sklearn import neural_network
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
        >>> theirs = neural_network.MLPClassifier(solver="lbfgs", random_state=0).fit(X, y)
        >>> model = fastmlp.MLPClassifier.from_sklearn(theirs)
        >>> model.predict([[-1.0], [4.0]])
        array([0, 1])
        """
        _check_given(cls, model)
        known = cls._get_param_names()
        est = cls(**{name: value for name, value in model.get_params(deep=False).items() if name in known})
        weights, biases = model.coefs_, model.intercepts_
        hidden, output = settings.our_activation(model.activation), settings.our_activation(model.out_activation_)
        est.network_ = Network.from_parameters(weights, biases, activation=hidden, output_activation=output)
        est.loss_curve_, est.validation_loss_curve_ = [], None
        est.best_loss_, est.validation_scores_, est.best_validation_score_ = model.loss_, None, None
        _copy_shared(model, est)
        losses = est.loss_curve_[-est.n_iter_ :] if est.loss_curve_ else [est.loss_]
        est.history_ = History(losses, stop_reason="taken over from scikit-learn")
        est._held = Held.of(est, _our_optimizer(est, model), settings.generator(est.random_state))
        _tell_what_was_best(est, model)
        return est


def _their_kind(est: Any) -> Any:
    return neural_network.MLPClassifier if is_classifier(est) else neural_network.MLPRegressor


def _check_given(cls: Any, model: Any) -> None:
    """Raise an error if this is not a fitted model of the class's counterpart."""
    kind = getattr(neural_network, cls.__name__)
    if not isinstance(model, kind):
        given = f"{type(model).__module__.partition('.')[0]}'s {type(model).__name__}"
        raise TypeError(
            f"{cls.__name__}.from_sklearn takes a fitted sklearn.neural_network.{kind.__name__}, not {given}; "
            "of a pipeline or a search, take out the estimator first: pipeline[-1], search.best_estimator_"
        )
    check_is_fitted(model)


def _check_counterpart(est: Any, kind: Any) -> None:
    """Raise ValueError if scikit-learn's network cannot be this one."""
    *hidden, output = est.network_.activations
    hidden = [settings.THEIR_NAMES.get(name, name) for name in hidden]
    theirs = f"scikit-learn's {kind.__name__}"
    if len(set(hidden)) > 1:
        raise ValueError(f"{theirs} has one activation for all hidden layers, and this one has {hidden}: {INSTEAD}")
    if hidden and hidden[0] not in ACTIVATIONS:
        raise ValueError(f"{theirs} knows the activations {', '.join(ACTIVATIONS)}, and not {hidden[0]}: {INSTEAD}")
    losses = ["log_loss"] if is_classifier(est) else ["squared_error", "poisson"]
    loss = est.loss if callable(est.loss) else specs.text(loss_of(est.loss, output))
    if loss not in losses:
        raise ValueError(f"{theirs} knows the loss {' and '.join(losses)}, and not {loss}: {INSTEAD}")
    if est.out_activation_ not in OUTPUTS[loss]:
        raise ValueError(
            f"{theirs} has {' or '.join(OUTPUTS[loss])} outputs with loss={loss!r}, and not {est.out_activation_}: "
            f"{INSTEAD}"
        )


def _their_parameters(est: Any, kind: Any) -> dict[str, Any]:
    """Return what scikit-learn's constructor takes."""
    known = kind._get_param_names()
    parameters = {name: value for name, value in est.get_params(deep=False).items() if name in known}
    *hidden, _ = est.network_.activations
    named = hidden[0] if hidden else settings.our_activation(est.activation)
    activation = settings.THEIR_NAMES.get(named, named) if isinstance(named, str) else None
    parameters["activation"] = activation if activation in ACTIVATIONS else "relu"  # without hidden layers any will do
    if isinstance(est.random_state, np.random.Generator):
        parameters["random_state"] = np.random.RandomState(copy.deepcopy(est.random_state.bit_generator))
    optimizer = est._held.optimizer
    parameters["solver"] = "lbfgs" if isinstance(optimizer, Solver) else THEIR_RULES.get(type(optimizer), "adam")
    if not isinstance(est.solver, str):
        parameters |= _numbers_of(est.solver, _samples_of_an_epoch(est))
    return parameters


def _numbers_of(solver: Any, n_samples: float) -> dict[str, Any]:
    """Return scikit-learn's parameters for a solver that is an object, and has its numbers itself."""
    numbers: dict[str, Any] = {"alpha": solver.l2 * settings.sharing_alpha(solver, n_samples)}
    if type(solver) in THEIR_RULES:
        own = settings.RULES[THEIR_RULES[type(solver)]][1]
        numbers |= {theirs: getattr(solver, ours) for ours, theirs in own.items()}
        numbers["learning_rate_init"] = solver.learning_rate
    if isinstance(solver, SGD):
        numbers["nesterovs_momentum"] = solver.nesterov
    return numbers


def _copy_shared(source: Any, target: Any) -> None:
    """Copy the fitted attributes that mean the same in both."""
    for name in SHARED:
        if hasattr(source, name):
            setattr(target, name, copy.deepcopy(getattr(source, name)))


def _samples_of_an_epoch(est: Any) -> float:
    return float(est.t_ / max(1, len(est.loss_curve_)))


def _arrays(net: Network, flat: Array) -> tuple[list[Array], list[Array]]:
    """Return what lies in a flat array in the places of the weights, and of the biases, as new arrays."""
    other = net.copy()
    other.parameters[:] = flat
    return [W.copy() for W in other.weights], [b.copy() for b in other.biases]


def _flat(net: Network, arrays: Sequence[Array]) -> Array:
    """Return arrays of the weights' shapes, and then of the biases', as one flat array."""
    other = net.copy()
    for view, array in zip([*other.weights, *other.biases], arrays, strict=True):
        view[:] = array
    return other.parameters


def _their_optimizer(est: Any, model: Any) -> Any:
    """Return scikit-learn's optimizer, with the state of ours."""
    parameters, optimizer = [*model.coefs_, *model.intercepts_], est._held.optimizer
    slots = optimizer.state()["slots"] if type(optimizer) in THEIR_RULES else {}
    state = {name: list(chain(*_arrays(est.network_, slot))) for name, slot in slots.items()}
    if model.solver == "adam":
        adam = AdamOptimizer(parameters, model.learning_rate_init, model.beta_1, model.beta_2, model.epsilon)
        if state:
            adam.ms, adam.vs, adam.t = state["m"], state["v"], optimizer.steps
        return adam
    sgd = SGDOptimizer(
        parameters,
        model.learning_rate_init,
        model.learning_rate,
        model.momentum,
        model.nesterovs_momentum,
        model.power_t,
    )
    sgd.velocities = state.get("velocity", sgd.velocities)
    sgd.learning_rate = optimizer.learning_rate
    sgd.iteration_ends(model.t_)
    return sgd


def _our_optimizer(est: Any, model: Any) -> Optimizer | Solver:
    """Return the optimizer of the estimator's parameters, with the state of scikit-learn's."""
    optimizer = settings.make_optimizer(est, est.solver, _samples_of_an_epoch(est))
    theirs = getattr(model, "_optimizer", None)
    slots: dict[str, Sequence[Array]] = {}
    steps = 0
    if isinstance(optimizer, Adam) and isinstance(theirs, AdamOptimizer):
        slots, steps = {"m": theirs.ms, "v": theirs.vs}, theirs.t
    elif isinstance(optimizer, SGD) and isinstance(theirs, SGDOptimizer):
        if est.learning_rate != "invscaling":  # which is a schedule here
            optimizer.learning_rate = theirs.learning_rate
        if optimizer.momentum:
            slots = {"velocity": theirs.velocities}
    else:
        return optimizer
    flat = {name: _flat(est.network_, arrays) for name, arrays in slots.items()}
    epochs = len(est.loss_curve_) if optimizer.schedule else 0
    optimizer.load_state({"steps": steps, "epochs": epochs, "last_loss": None, "schedule": {}, "slots": flat})
    return optimizer


def _plateau(est: Any) -> Plateau | None:
    """Return what counts the epochs without improvement, if anything does."""
    stopping = est._held.stopping
    if isinstance(stopping, ScoreStopping):
        return stopping.by_score.plateau
    return stopping.plateau if stopping else None


def _tell_what_was_best(est: Any, model: Any) -> None:
    """Have what watches over the epochs go on from what scikit-learn has seen."""
    stopping, plateau = est._held.stopping, _plateau(est)
    if plateau is None or not hasattr(model, "_no_improvement_count"):
        return
    plateau.waited = model._no_improvement_count
    if not isinstance(stopping, ScoreStopping):
        plateau.best = math.inf if est.best_loss_ is None else est.best_loss_
    elif est.validation_scores_:
        stopping.take_over(est.validation_scores_, est.best_validation_score_, est.network_.parameters)
