"""What the methods of a network give back."""

from __future__ import annotations

from dataclasses import dataclass, field

from .arrays import Array


@dataclass
class Gradients:
    """The loss and its derivatives with respect to every weight and bias.

    Attributes
    ----------
    loss : float
        J, the mean loss of the samples.
    weights : tuple of ndarray, shapes (n_in, n_out)
        dW[1]..dW[L].
    biases : tuple of ndarray, shapes (n_out,)
        db[1]..db[L]; empty for a network without biases.
    """

    loss: float
    weights: tuple[Array, ...]
    biases: tuple[Array, ...]


@dataclass
class Trace:
    """Every quantity of one forward and one backward pass, by layer.

    Lists are indexed by the layer's number l = 0..L; what a layer does not have is None.

    Attributes
    ----------
    Z, A : list of ndarray, shapes (n, n_l)
        Net inputs and activations. A[0] is X (the very array, where it needed no conversion), A[L] is
        Y_hat; Z[0] is None.
    J : float or None
        Mean loss; None without Y, like all that follows.
    delta : list of ndarray, shapes (n, n_l)
        dJ/dZ of layers 1..L.
    dW, db : list of ndarray, shapes (n_in, n_out) and (n_out,)
        Gradients of the weights and biases of layers 1..L.
    """

    Z: list[Array | None]
    A: list[Array]
    J: float | None = None
    delta: list[Array | None] = field(default_factory=list)
    dW: list[Array | None] = field(default_factory=list)
    db: list[Array | None] = field(default_factory=list)


@dataclass(slots=True)
class History:
    """The course of a training run.

    Attributes
    ----------
    loss : list of float
        One value per epoch: the mean loss of the samples, each taken when its batch had its turn,
        before that batch's update.
    validation_loss : list of float
        One value per epoch, with the weights at the end of it; empty without validation data.
    metrics : dict of str to list of float
        For each metric asked for, one value per epoch, with the weights at the end of it: of the validation
        data or, without such, of the training data.
    learning_rate : list of float
        That of each epoch's last step; empty for optimizers that have none.
    gradient_norm : list of float
        Euclidean norm of the gradient of the mean loss of all training samples, with the weights at the end of
        each epoch; empty unless ``"gradient_norm"`` is among the metrics asked for.
    seconds : float
        Duration of the run.
    stop_reason : str
        Why it ended, in words.
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    learning_rate: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    seconds: float = 0.0
    stop_reason: str = ""

    def curves(self) -> dict[str, list[float]]:
        """Return every curve that has a value per epoch, by name.

        Examples
        --------
        >>> import fastmlp
        >>> history = fastmlp.Network([1, 1]).train([[1.0]], [0.0], epochs=3, metrics=["mean_absolute_error"])
        >>> list(history.curves())
        ['loss', 'mean_absolute_error', 'learning_rate']
        """
        all_curves = {
            "loss": self.loss,
            "validation_loss": self.validation_loss,
            **self.metrics,
            "learning_rate": self.learning_rate,
            "gradient_norm": self.gradient_norm,
        }
        return {name: curve for name, curve in all_curves.items() if curve}
