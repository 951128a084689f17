"""The classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, unique_labels
from sklearn.utils.validation import column_or_1d

from ..reference.arrays import Array
from ..reference.onnx_graph import Graph
from . import settings
from .documentation import with_parameters
from .inputs import check_not_all_zero, check_samples
from .interchange import Interchangeable
from .onnx_export import labels_for_onnx


@with_parameters
@dataclass(eq=False, repr=False)
class MLPClassifier(ClassifierMixin, Interchangeable):  # type: ignore[misc]  # which has no types
    """A multilayer perceptron that learns classes, with the face of ``sklearn.neural_network.MLPClassifier``.

    Two classes have one sigmoid output, several a softmax, and several labels at once a sigmoid for each.

    Parameters
    ----------
    {parameters}
    loss : str or callable, default "log_loss"
        Loss of a sample: "log_loss", with smoothed labels as in "log_loss(0.1)", or a function as for
        :meth:`fastmlp.Network.loss`.
    class_weight : dict, list of dict or "balanced", optional
        Weights of classes, which multiply those of their samples: {label: weight}; "balanced" takes
        n_samples / (n_classes * number of the class).

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels in ascending order; of several labels at once the numbers of their columns.
    {attributes}

    Examples
    --------
    >>> import fastmlp
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), fastmlp.MLPClassifier(max_iter=1000, random_state=0))
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    """

    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str | Sequence[str] = "relu"
    _: KW_ONLY
    loss: str | Callable[..., Any] = "log_loss"
    class_weight: Any = None

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
    ) -> MLPClassifier:
        """Fit the network to X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n_samples, n_features)
            Inputs.
        y : array-like, shape (n_samples,) or (n_samples, n_labels)
            Labels of classes, or for several labels at once a matrix of 0 and 1.
        {fit}

        Returns
        -------
        MLPClassifier
            The estimator itself.

        {fit_ends}
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), (coefs_init, intercepts_init))

    @available_if(settings.partial_fit_is_there)  # type: ignore[untyped-decorator]  # scikit-learn's
    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        classes: npt.ArrayLike | None = None,
    ) -> MLPClassifier:
        """Go on with one epoch over these samples.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n_samples, n_features)
            Inputs.
        y : array-like, shape (n_samples,) or (n_samples, n_labels)
            Labels.
        sample_weight : array-like, shape (n_samples,), optional
            Weights of the samples.
        classes : array-like, shape (n_classes,), optional
            All labels that may come. The first call needs them.

        Returns
        -------
        MLPClassifier
            The estimator itself.

        Raises
        ------
        AttributeError
            If the solver takes all samples at once.
        ValueError
            As :meth:`fit`, or if ``classes`` is missing in the first call, or another than before.
        """
        with self._unharmed():
            if _check_partial_fit_first_call(self, classes):
                self._binarize(y if np.ndim(y) == 2 and np.shape(y)[1] > 1 else classes)
            return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: npt.ArrayLike) -> Array:
        """Return the predicted labels.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray, shape (n_samples,) or (n_samples, n_labels)

        Raises
        ------
        NotFittedError
            If there is no network yet.
        ValueError
            If X has another number of features, or a number is not finite.
        """
        outputs = self._outputs(X)
        labels: Array = self._label_binarizer.inverse_transform(outputs.ravel() if self.n_outputs_ == 1 else outputs)
        return labels

    def predict_proba(self, X: npt.ArrayLike) -> Array:
        """Return the probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray, shape (n_samples, n_classes)
            If there was a single class, there are two columns as in scikit-learn, and the first one is that class's.

        Raises
        ------
        NotFittedError, ValueError
            As :meth:`predict`.
        """
        outputs = self._outputs(X)
        return np.hstack([1 - outputs, outputs]) if self.n_outputs_ == 1 else outputs

    def predict_log_proba(self, X: npt.ArrayLike) -> Array:
        """Return the logarithms of the probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix}, shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray, shape (n_samples, n_classes)

        Raises
        ------
        NotFittedError, ValueError
            As :meth:`predict`.
        """
        with np.errstate(divide="ignore"):  # a probability may round to zero
            return np.log(self.predict_proba(X))

    def _add_predictions(self, graph: Graph, outputs: str) -> None:
        labels, dtype = labels_for_onnx(self.classes_), self.network_.dtype
        if self.network_.activations[-1] == "softmax":
            label = graph.add("Gather", labels, graph.add("ArgMax", outputs, axis=1, keepdims=0))
            graph.output(label, "label", labels.dtype)
            graph.output(outputs, "probabilities", dtype, self.n_outputs_)
            return
        above = graph.cast(graph.add("Greater", outputs, 0.5), np.bool_, np.int64)
        if self.n_outputs_ > 1:
            graph.output(above, "label", np.int64, self.n_outputs_)
            graph.output(outputs, "probabilities", dtype, self.n_outputs_)
            return
        label = graph.add("Gather", labels[[0, -1]], graph.flat(above))  # there may be one class alone
        graph.output(label, "label", labels.dtype)
        both = graph.add("Concat", graph.add("Sub", 1.0, outputs), outputs, axis=1)
        graph.output(both, "probabilities", dtype, 2)

    def _check_samples(self, X: Any, y: Any, *, reset: bool, incremental: bool = False) -> tuple[Any, Any]:
        X, y = check_samples(self, X, y, numeric=False, reset=reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if reset and not incremental:
            self._binarize(y)
            return X, y
        found, known = set(unique_labels(y).tolist()), set(np.asarray(self.classes_).tolist())
        if self.warm_start and not incremental and found != known:
            raise ValueError(
                "warm_start can only be used where y has the same classes as in the previous call to fit. "
                f"Previously got {sorted(known)}, y has {sorted(found)}"
            )
        if found - known:
            raise ValueError(f"y has classes not in {self.classes_.tolist()}: {sorted(found - known)}")
        return X, y

    def _binarize(self, y: Any) -> None:
        """Take note of the classes."""
        try:
            self._label_binarizer = LabelBinarizer().fit(y)
        except TypeError as error:
            raise TypeError(f"the labels in y have no common order: {error}; make all of them one kind") from None
        self.classes_ = self._label_binarizer.classes_

    def _encode(self, y: Any) -> Array:
        if self._label_binarizer.y_type_.startswith("multilabel"):
            labels: Any = self._label_binarizer.transform(y)
            return np.asarray(labels.toarray() if hasattr(labels, "toarray") else labels)
        codes: Array = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        if (unknown := self.classes_[codes] != y).any():
            raise ValueError(f"there is no class {y[unknown.argmax()]!r}: known are {self.classes_.tolist()}")
        if len(self.classes_) <= 2:
            return codes.reshape(-1, 1)
        one_hot = np.zeros((len(codes), len(self.classes_)))
        one_hot[np.arange(len(codes)), codes] = 1
        return one_hot

    def _class_weights(self, y: Any, weight: Array | None, incremental: bool) -> Array | None:
        if self.class_weight is None:
            return weight
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all samples at once, and partial_fit sees a part of them: pass a dict "
                "of weights, such as sklearn.utils.class_weight.compute_class_weight gives"
            )
        of_classes: Array = compute_sample_weight(self.class_weight, y)
        if not (of_classes >= 0).all():
            raise ValueError(f"class_weight has a weight that is no number from 0 up: {self.class_weight}")
        weight = of_classes if weight is None else weight * of_classes
        check_not_all_zero(weight, "sample_weight times class_weight")
        return weight

    def _c_arguments(self) -> dict[str, Any]:
        arguments = super()._c_arguments()
        exclusive = not self._label_binarizer.y_type_.startswith("multilabel")
        return {**arguments, "labels": self.classes_ if exclusive else None}

    def _loss(self) -> Any:
        return self.loss

    def _outputs_for(self, n_targets: int) -> tuple[int, str]:
        several = self._label_binarizer.y_type_ == "multiclass" and n_targets > 1
        return n_targets, "softmax" if several else "sigmoid"

    def _stratifies(self, Y: Array) -> bool:
        return bool(Y.shape[1] == 1 or self._label_binarizer.y_type_ == "multiclass")

    def _score_of(self, Y: Array, Y_hat: Array, weight: Array | None) -> float:
        if self.network_.activations[-1] == "softmax":
            right = Y_hat.argmax(axis=1) == Y.argmax(axis=1)
        else:
            right = ((Y_hat > 0.5) == (Y > 0.5)).all(axis=1)
        return float(np.average(right, weights=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
