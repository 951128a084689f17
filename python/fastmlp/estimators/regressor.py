"""The regressor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..reference import specs
from ..reference.arrays import Array
from ..reference.losses import LOSSES, GaussianNll, Quantile
from ..reference.onnx_graph import Graph
from ..reference.sparse import is_sparse
from . import settings
from .documentation import with_parameters
from .inputs import check_samples
from .interchange import Interchangeable

# Those of numbers: the others are of classes.
KNOWN = {loss.name: loss for loss in LOSSES.values() if loss.link not in ("sigmoid", "softmax")}

NO_R2 = "R^2 is not defined for several quantiles"


@with_parameters
@dataclass(eq=False, repr=False)
class MLPRegressor(RegressorMixin, Interchangeable):  # type: ignore[misc]  # which has no types
    """A multilayer perceptron that learns numbers, with the face of ``sklearn.neural_network.MLPRegressor``.

    Parameters
    ----------
    loss : str or callable, default "squared_error"
        Loss of a sample: "squared_error", "absolute_error", "huber(delta)", "log_cosh", "quantile(level, ...)",
        "poisson", "gamma" or "gaussian_nll", or a function as for :meth:`fastmlp.Network.loss`. "poisson" and
        "gamma" make the outputs positive by an exp; "gaussian_nll" learns a variance beside each mean.
    {parameters}
    out_activation : str, optional
        Activation of the outputs, such as "sigmoid" for targets in (0, 1). By default the one that goes with the
        loss: most have "identity".

    Attributes
    ----------
    {attributes}

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> X = np.linspace(-3, 3, 200).reshape(-1, 1)
    >>> model = fastmlp.MLPRegressor(hidden_layer_sizes=(10,), solver="lbfgs", max_iter=1000, random_state=0)
    >>> model.fit(X, np.sin(X).ravel()).score(X, np.sin(X).ravel()) > 0.999
    True
    """

    loss: str | Callable[..., Any] = "squared_error"
    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str | Sequence[str] = "relu"
    _: KW_ONLY
    out_activation: str | None = None

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        X_val: npt.ArrayLike | None = None,
        y_val: npt.ArrayLike | None = None,
        sample_weight_val: npt.ArrayLike | None = None,
        coefs_init: Sequence[npt.ArrayLike] | None = None,
        intercepts_init: Sequence[npt.ArrayLike] | None = None,
    ) -> MLPRegressor:
        """Fit the network to X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n_samples, n_features)
            Inputs.
        y : array-like, shape (n_samples,) or (n_samples, n_targets)
            Targets.
        {fit}

        Returns
        -------
        MLPRegressor
            The estimator itself.

        {fit_ends}
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), (coefs_init, intercepts_init))

    @available_if(settings.partial_fit_is_there)  # type: ignore[untyped-decorator]  # scikit-learn's
    def partial_fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> MLPRegressor:
        """Go on with one epoch over these samples.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n_samples, n_features)
            Inputs.
        y : array-like, shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like, shape (n_samples,), optional
            Weights of the samples.

        Returns
        -------
        MLPRegressor
            The estimator itself.

        Raises
        ------
        AttributeError
            If the solver takes all samples at once.
        ValueError
            As :meth:`fit`.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: npt.ArrayLike, return_std: bool = False) -> Any:
        """Return the predicted targets.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n_samples, n_features)
            Inputs.
        return_std : bool, default False
            With loss "gaussian_nll": return the standard deviations too.

        Returns
        -------
        y : ndarray, shape (n_samples,) or (n_samples, n_targets)
            Predictions; with several levels of loss "quantile" they have one more axis, of the levels, at the end.
        std : ndarray, of the same shape
            Standard deviations; only with ``return_std``.

        Raises
        ------
        NotFittedError
            If there is no network yet.
        ValueError
            If X has another number of features, a number is not finite, or there are no standard deviations.
        """
        check_is_fitted(self)
        if return_std and not self._has_std():
            raise ValueError("return_std=True needs loss='gaussian_nll', which learns variances")
        outputs = self._outputs(X)
        if self._has_std():
            mean, variance = np.hsplit(outputs, 2)
            return (_flat(mean), _flat(np.sqrt(variance))) if return_std else _flat(mean)
        if (levels := self._n_levels()) > 1:
            return _flat(outputs.reshape(len(outputs), levels, -1).swapaxes(1, 2))
        return _flat(outputs)

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Return the coefficient of determination R^2 of what :meth:`predict` gives.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n_samples, n_features)
            Inputs.
        y : array-like, shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like, shape (n_samples,), optional
            Weights of the samples.

        Returns
        -------
        float
            1 - sum (y - predictions)^2 / sum (y - mean of y)^2, averaged over targets.

        Raises
        ------
        NotFittedError
            If there is no network yet.
        ValueError
            As :meth:`predict`, or if there are several quantiles, for which R^2 is not defined.

        Examples
        --------
        >>> import numpy as np, fastmlp
        >>> X, y = np.linspace(0, 1, 50).reshape(-1, 1), np.linspace(0, 1, 50) ** 2
        >>> model = fastmlp.MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs", random_state=0)
        >>> model.fit(X, y).score(X, y) > 0.99
        True
        """
        check_is_fitted(self)
        if self._n_levels() > 1 and not self._has_std():
            raise ValueError(f"{NO_R2}: see sklearn.metrics.mean_pinball_loss of predict(X)[..., k] for each of them")
        return float(super().score(X, y, sample_weight))

    def _has_std(self) -> bool:
        """Return whether the network has learnt variances."""
        return bool(self.network_.activations[-1] == GaussianNll.link)

    def _n_levels(self) -> int:
        """Return the number of outputs for each target, of which several are quantiles, if they are no variances."""
        return int(self.network_.layer_sizes[-1] // self.n_outputs_)

    def _add_predictions(self, graph: Graph, outputs: str) -> None:
        n, levels = self.n_outputs_, self._n_levels()
        shape, predictions = [n], {"variable": outputs}
        if self._has_std():
            mean, variance = graph.halves(outputs)
            predictions = {"variable": mean, "std": graph.add("Sqrt", variance)}
        elif levels > 1:
            by_level = graph.add("Reshape", outputs, np.array([0, levels, n], np.int64))
            shape, predictions = [n, levels], {"variable": graph.add("Transpose", by_level, perm=[0, 2, 1])}
        for name, tensor in predictions.items():
            single = n == 1
            graph.output(graph.flat(tensor) if single else tensor, name, self.network_.dtype, *shape[single:])

    def _check_samples(self, X: Any, y: Any, *, reset: bool, incremental: bool = False) -> tuple[Any, Any]:
        if is_sparse(y):
            raise TypeError("y is a sparse matrix: targets of a regressor are dense, y.toarray()")
        X, y = check_samples(self, X, y, numeric=True, reset=reset)
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _encode(self, y: Any) -> Array:
        targets: Array = np.asarray(y)
        return targets.reshape(len(targets), -1)

    def _loss(self) -> Any:
        return self.loss

    def _outputs_for(self, n_targets: int) -> tuple[int, str]:
        made = None if callable(self.loss) else specs.make(self.loss, KNOWN, "loss")
        per_target = 2 if isinstance(made, GaussianNll) else len(made.levels) if isinstance(made, Quantile) else 1
        link = made.link if made else None
        return n_targets * per_target, settings.our_activation(self.out_activation or link or "linear")

    def _score_of(self, Y: Array, Y_hat: Array, weight: Array | None) -> float:
        if Y_hat.shape[1] != Y.shape[1]:
            if not self._has_std():
                raise ValueError(f"{NO_R2}: pass scoring='loss', or a scorer")
            Y_hat = Y_hat[:, : Y.shape[1]]
        return float(r2_score(Y, Y_hat, sample_weight=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _flat(predictions: Array) -> Array:
    """Return predictions of a single target without its axis."""
    return predictions[:, 0] if predictions.shape[1] == 1 else predictions
