"""What the methods of a network give back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from .arrays import Array

if TYPE_CHECKING:
    from .explanation import Explanation
    from .losses import Loss


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


@dataclass(frozen=True)
class Origin:
    """What a trace was computed from, beside X: parameters and activations of layers 1..L and, if there are, the
    targets and their loss."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    activations: tuple[str, ...]
    Y: Array | None
    loss: Loss | None


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
    origin : Origin or None
        What it was computed from, as it was then; for :meth:`explain`.
    """

    Z: list[Array | None]
    A: list[Array]
    J: float | None = None
    delta: list[Array | None] = field(default_factory=list)
    dW: list[Array | None] = field(default_factory=list)
    db: list[Array | None] = field(default_factory=list)
    origin: Origin | None = field(default=None, repr=False)

    def explain(
        self,
        format: Literal["text", "markdown", "html"] = "text",
        *,
        digits: int = 4,
        learning_rate: float | None = None,
        max_size: int = 8,
    ) -> Explanation:
        """Write the passes as a textbook does: every formula, then the same with its matrices of numbers.

        Parameters
        ----------
        format : {"text", "markdown", "html"}, default "text"
            Plain text; Markdown with formulas in LaTeX; or a page of HTML with formulas in MathML, which browsers
            show without scripts.
        digits : int, default 4
            Significant digits of the numbers, 1 to 17. They are rounded as they are written only.
        learning_rate : float, optional
            Step size of plain gradient descent: the updated weights and biases are shown too.
        max_size : int, default 8
            The most rows and columns of a matrix, and samples, that are shown, at least 2. Those in the middle are
            left out.

        Returns
        -------
        Explanation
            A str. In a notebook it shows as its Markdown, whatever the format.

        Raises
        ------
        ValueError
            If there is no such format, a number is out of range, the trace has no rows, there is a learning rate but
            no gradients, or the trace was not made by a network's ``trace``.

        Examples
        --------
        >>> import fastmlp
        >>> net = fastmlp.Network.from_parameters([[[0.95]]])
        >>> print(net.trace([[2.0]], [[1.0]]).explain(learning_rate=0.1))  # doctest: +ELLIPSIS
        One step of the 1-1 network (linear), 1 sample, squared_error
        =============================================================
        ...
        Layer 1, forward: linear
        ------------------------
        <BLANKLINE>
        Z[1] = X @ W[1]                                               # (1, 1) @ (1, 1) = (1, 1)
             = [ 2 ] @ [ 0.95 ]
             = [ 1.9 ]
        ...
        W[1] <- W[1] - eta * dW[1]
              = [ 0.95 ] - 0.1 * [ 1.8 ]
              = [ 0.77 ]
        """
        from .explanation import explain  # it takes a while to read, and nobody else needs it

        return explain(self, format, digits=digits, learning_rate=learning_rate, max_size=max_size)


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
