"""What both estimators share: their parameters, and how they fit."""

from __future__ import annotations

import copy
import math
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import KW_ONLY, dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from ..network import Network
from ..reference.activations import activation_names
from ..reference.arrays import Array
from ..reference.monitor import ALL_DONE, State
from ..reference.optimizers import Optimizer
from ..reference.results import History
from ..reference.solvers import Solver
from . import settings
from .c_export import CExport
from .held import Held
from .inputs import check_inputs, check_not_all_zero, check_targets, check_weights, draw_biases, put_initial
from .onnx_export import OnnxExport
from .sklearn_callbacks import CallbackSupportMixin, epochs_as_tasks
from .stopping import Record, ScoreStopping, as_score, takes_weights

Self = TypeVar("Self", bound="Perceptron")


@dataclass
class Samples:
    """Samples as they are trained with, and the labels or targets that they came with."""

    X: Any
    Y: Array
    weight: Array | None
    y: Any

    def __getitem__(self, rows: Array) -> Samples:
        return Samples(self.X[rows], self.Y[rows], None if self.weight is None else self.weight[rows], self.y[rows])


@dataclass(eq=False, repr=False)
class Perceptron(OnnxExport, CExport, CallbackSupportMixin, BaseEstimator):  # type: ignore[misc]  # has no types
    """The parameters that both estimators have, and the methods that don't depend on what is learnt."""

    _: KW_ONLY
    solver: str | Optimizer | Solver = "adam"
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: bool = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: float = 10
    max_fun: int = 15000
    init: str | Callable[..., Any] = "glorot_uniform"
    dropout: float | Sequence[float] = 0.0
    l1: float = 0.0
    weight_decay: float | None = None
    clip_value: float | None = None
    clip_norm: float | None = None
    max_norm: float | None = None
    schedule: Any = None
    scoring: Any = None
    callbacks: Sequence[Any] = ()
    max_time: float | None = None
    n_jobs: int | None = None

    # What a class of estimators says of itself.

    @abstractmethod
    def _check_samples(self, X: Any, y: Any, *, reset: bool, incremental: bool = False) -> tuple[Any, Any]:
        """Return X and y as arrays, checked; ``reset`` takes note of classes and features."""

    @abstractmethod
    def _encode(self, y: Any) -> Array:
        """Return targets as the network takes them, shape (n, n_targets)."""

    @abstractmethod
    def _loss(self) -> Any:
        """Return the loss as ``Network.train`` takes it."""

    @abstractmethod
    def _outputs_for(self, n_targets: int) -> tuple[int, str]:
        """Return the number of outputs for so many targets, and their activation."""

    @abstractmethod
    def _score_of(self, Y: Array, Y_hat: Array, weight: Array | None) -> float:
        """Return what ``score`` gives, of encoded targets and outputs."""

    def _class_weights(self, y: Any, weight: Array | None, incremental: bool) -> Array | None:
        """Return the samples' weights times those of their classes."""
        return weight

    # Attributes of the network.

    @property
    def coefs_(self) -> list[Array]:
        """Weights of each layer, shapes (n_in, n_out): live views."""
        return list(self._fitted().weights)

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of each layer, shapes (n_out,): live views."""
        return list(self._fitted().biases)

    @property
    def n_layers_(self) -> int:
        """Number of layers, inputs and outputs among them."""
        return len(self._fitted().layer_sizes)

    @property
    def out_activation_(self) -> str:
        """Activation of the output layer, by scikit-learn's name where it has one."""
        name = self._fitted().activations[-1]
        return settings.THEIR_NAMES.get(name, name)

    def _fitted(self) -> Network:
        """Return the network, or raise what ``hasattr`` understands."""
        if "network_" not in vars(self):
            raise AttributeError(f"this {type(self).__name__} is not fitted yet: it has no network")
        return self.network_

    # Fitting.

    def _fit(
        self: Self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any] = (None, None, None),
        initial: tuple[Any, Any] = (None, None),
        incremental: bool = False,
    ) -> Self:
        with self._unharmed():
            self._fit_checked(X, y, sample_weight, validation, initial, incremental)
        return self

    @contextmanager
    def _unharmed(self) -> Iterator[None]:
        """Have an earlier fit stay what it was, and a user's generator where it was, if an error ends this one."""
        before = dict(self.__dict__)
        bits: Any = self.random_state.bit_generator if isinstance(self.random_state, np.random.Generator) else None
        drawn = bits and bits.state
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            if bits:
                bits.state = drawn
            raise

    def _fit_checked(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any],
        initial: tuple[Any, Any],
        incremental: bool,
    ) -> None:
        settings.check_settings(self)
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        goes_on = hasattr(self, "network_") and (self.warm_start or incremental)
        X, y = self._check_samples(X, y, reset=not goes_on, incremental=incremental)
        weight = self._class_weights(y, check_weights(sample_weight, X), incremental)
        samples = Samples(X, check_targets(self._encode(y), X.dtype), weight, y)
        held_out = self._check_validation(*validation, samples.Y.shape[1])
        if goes_on:
            self._check_network(samples)
            self._held: Held = self._held.followed(self, self.network_, len(samples.Y))
        else:
            self._begin(samples, initial)
        if held_out is None and self.early_stopping:
            samples, held_out = self._split(samples)
        told: Any = nullcontext([]) if incremental else epochs_as_tasks(self, samples.X, samples.y, samples.weight)
        runs_their_code = bool(self.callbacks) or not incremental
        safe: Any = self._held.unharmed(self.network_) if goes_on and runs_their_code else nullcontext()
        with safe, told as watchers:
            self._run(samples, held_out, watchers, incremental)

    def _begin(self, samples: Samples, initial: tuple[Any, Any]) -> None:
        """Make a new network, and all that belongs to its training."""
        X, Y = samples.X, samples.Y
        rng = settings.generator(self.random_state)
        hidden = settings.hidden_sizes(self.hidden_layer_sizes)
        activation = settings.hidden_activations(self.activation, len(hidden))
        n_out, output_activation = self._outputs_for(Y.shape[1])
        sizes = [X.shape[1], *hidden, n_out]
        net = Network(sizes, activation, output_activation, init=self.init, dtype=X.dtype, random_state=rng)
        if self.init == "glorot_uniform":
            draw_biases(net, rng)
        put_initial("coefs_init", initial[0], net.weights)
        put_initial("intercepts_init", initial[1], net.biases)
        optimizer = settings.make_optimizer(self, settings.chosen_solver(self, net, len(Y)), len(Y))
        self._held = Held.of(self, optimizer, rng)
        self.network_: Network = net
        self.n_outputs_, self.t_ = Y.shape[1], 0
        self.loss_curve_: list[float] = []
        self.validation_loss_curve_: list[float] | None = None

    def _check_network(self, samples: Samples) -> None:
        """Raise ValueError if the network cannot go on with these samples."""
        hidden = settings.hidden_sizes(self.hidden_layer_sizes)
        n_out, output = self._outputs_for(samples.Y.shape[1])
        sizes = (samples.X.shape[1], *hidden, n_out)
        activations = settings.hidden_activations(self.activation, len(hidden))
        for what, has, asked in (
            ("layers", self.network_.layer_sizes, sizes),
            ("activations", self.network_.activations, activation_names(activations, output, sizes)),
        ):
            if has != asked:
                raise ValueError(
                    f"the network has {what} {list(has)}, and {list(asked)} are asked for: it cannot go on; use "
                    "warm_start=False, or a clone"
                )

    def _check_validation(self, X: Any, y: Any, weight: Any, n_targets: int) -> Samples | None:
        if X is None and y is None and weight is None:
            return None
        if X is None or y is None:
            raise ValueError("X_val and y_val belong together: one of them is missing")
        try:
            X, y = self._check_samples(X, y, reset=False, incremental=True)
            weight, Y = check_weights(weight, X), check_targets(self._encode(y), X.dtype)
        except (TypeError, ValueError) as error:
            raise type(error)(f"in X_val, y_val or sample_weight_val: {error}") from None
        if Y.shape[1] != n_targets:
            raise ValueError(f"y_val has {Y.shape[1]} columns, and y has {n_targets}")
        return Samples(X, Y, weight, y)

    def _split(self, samples: Samples) -> tuple[Samples, Samples]:
        """Hold out a fraction of the samples, the same one in each fit that goes on."""
        try:
            kept, held = train_test_split(
                np.arange(len(samples.Y)),
                test_size=self.validation_fraction,
                random_state=self._held.split_seed,
                stratify=samples.y if self._stratifies(samples.Y) else None,
            )
        except ValueError as error:
            asked = f"validation_fraction={self.validation_fraction} of {len(samples.Y)} sample(s)"
            raise ValueError(f"{asked} cannot be held out: {error}") from None
        if len(held) < 2:
            raise ValueError("the validation set is too small: increase validation_fraction, or pass X_val and y_val")
        if samples.weight is not None:
            check_not_all_zero(samples.weight[kept], "sample_weight", "row left to train on")
            check_not_all_zero(samples.weight[held], "sample_weight", "row held out")
        return samples[kept], samples[held]

    def _stratifies(self, Y: Array) -> bool:
        return False

    def _run(self, samples: Samples, held_out: Samples | None, watchers: list[Any], incremental: bool) -> None:
        """Train the network, and set the attributes that tell of it."""
        optimizer = self._held.optimizer
        if isinstance(self.solver, str):
            total = len(samples.Y) if samples.weight is None else samples.weight.sum()
            optimizer.l2 = self.alpha / settings.sharing_alpha(optimizer, total)
        stopping = None if incremental else self._held.stopping
        if isinstance(stopping, ScoreStopping) and held_out:
            stopping.score = self._scorer(held_out)
        watchers = [*([stopping] if stopping else []), *watchers, *self.callbacks]
        self.history_ = history = self._train(samples, held_out, watchers, incremental)
        self.n_iter_ = len(history.loss)
        self.t_ += self.n_iter_ * len(samples.Y)
        self.loss_curve_ = [*self.loss_curve_, *history.loss]
        if held_out:
            self.validation_loss_curve_ = (self.validation_loss_curve_ or []) + history.validation_loss
        if isinstance(optimizer, Solver):  # whose curve holds the loss before each iteration
            self.loss_ = self.network_.loss(samples.X, samples.Y, self._loss(), samples.weight)
        else:
            self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else math.nan
        scored = stopping if isinstance(stopping, ScoreStopping) else None
        self.validation_scores_ = list(scored.scores) if scored else None
        self.best_validation_score_ = scored.best if scored else None
        self.best_loss_ = None if scored else min([*self.loss_curve_, self.loss_])

    def _train(self, samples: Samples, held_out: Samples | None, watchers: list[Any], incremental: bool) -> History:
        record, optimizer = Record(), self._held.optimizer
        validation: Any = (held_out.X, held_out.Y, held_out.weight) if held_out else None
        try:
            history = self.network_.train(
                samples.X,
                samples.Y,
                epochs=1 if incremental else self.max_iter,
                batch_size=settings.batch_size(self, optimizer, len(samples.Y)),
                optimizer=optimizer,
                loss=self._loss(),
                shuffle=bool(self.shuffle),
                sample_weight=samples.weight,
                validation_data=validation,
                callbacks=[record, *watchers],
                progress=bool(self.verbose),
                random_state=self._held.rng,
                n_threads=settings.threads(self.n_jobs),
                dropout=self.dropout,
                max_time=self.max_time,
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=6)
            history = record.history or History()
            history.stop_reason = "interrupted"
        if history.stop_reason == ALL_DONE and not incremental:
            warnings.warn(
                f"Maximum iterations ({self.max_iter}) reached and the optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=6,
            )
        return history

    def _scorer(self, held_out: Samples) -> Callable[[State], float]:
        """Return what gives the validation score of the network as it is."""
        X, Y, weight, y = held_out.X, held_out.Y, held_out.weight, held_out.y
        if self.scoring == "loss":
            return lambda state: -state.history.validation_loss[-1]
        if self.scoring is None:
            n_threads = settings.threads(self.n_jobs)
            return lambda state: as_score(self._score_of(Y, state.network.predict(X, n_threads), weight))
        scorer, weights = check_scoring(self, scoring=self.scoring), {}
        if weight is not None and takes_weights(scorer):
            weights["sample_weight"] = weight
        judged = copy.copy(self)
        judged.__dict__.pop("feature_names_in_", None)  # X is an array by now
        return lambda state: as_score(scorer(judged, X, y, **weights))

    def _outputs(self, X: Any) -> Array:
        """Return the network's outputs for checked inputs."""
        check_is_fitted(self)
        return self.network_.predict(check_inputs(self, X), settings.threads(self.n_jobs))

    def input_gradients(self, X: npt.ArrayLike) -> Array:
        """Return the derivatives of every output of the network with respect to every feature.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray, shape (n_samples, n_outputs, n_features)
            How each sample's outputs would change with its features.

        Raises
        ------
        NotFittedError
            If there is no network yet.
        ValueError
            If X has another number of features, or a number is not finite.

        Examples
        --------
        >>> import fastmlp
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 2.0, 4.0, 6.0]
        >>> model = fastmlp.MLPRegressor(hidden_layer_sizes=(), solver="lm", alpha=0).fit(X, y)
        >>> model.input_gradients(X).round(6).ravel()
        array([2., 2., 2., 2.])
        """
        check_is_fitted(self)
        return self.network_.input_gradients(check_inputs(self, X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
