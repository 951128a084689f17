"""The pictures of the textbook examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from .. import SGD, plot
from ..examples import Example, course, network
from ..plot.style import matplotlib

# Epochs of the animation: many at first, when the curve moves fastest.
FRAMES = sorted({round(500 ** (i / 40)) for i in range(41)})

# Activations whose convergence is drawn side by side.
COMPARED = ("linear", "sigmoid", "relu", "tanh")


def draw(chosen: Sequence[Example], folder: Path) -> Iterator[Path]:
    """Draw the examples into a folder, which is made if need be, and yield the files."""
    matplotlib()  # or an error that names it, before there is a folder
    folder.mkdir(parents=True, exist_ok=True)
    for example in chosen:
        for name, write in PICTURES[example.held_by].items():
            path = folder / f"example-{example.number}-{name}"
            write(example, path)
            yield path


def convergence(example: Example, path: Path) -> None:
    """Draw the output and the error of an example with one output."""
    Y_hat, J = course(example, network(example), example.printed[-1].after)
    plot.save(plot.convergence(Y_hat, example.Y[0][0], J), path)


def output_fit(example: Example, path: Path) -> None:
    """Draw the outputs of a single sample against their targets, early in the training."""
    Y_hat, _ = course(example, network(example), 20)
    i = np.arange(1, Y_hat.shape[-1] + 1)
    moments = {f"after {n} iterations": Y_hat[n] for n in (5, 10, 15, 20)}
    plot.save(plot.fits(i, example.Y, moments, xlabel="output"), path)


def sample_fit(example: Example, path: Path) -> None:
    """Draw the outputs of all samples against their targets, for linear activations."""
    Y_hat, _ = course(example, network(example, activation="linear"), 200)
    moments = {f"after {n} epochs, linear": Y_hat[n] for n in (20, 50, 100, 200)}
    plot.save(plot.fits(np.ravel(example.X), example.Y, moments), path)


def errors(example: Example, path: Path) -> None:
    """Draw the error; for an example about activations, one line for each of them."""
    names = COMPARED if example.same_as else (example.activation,)
    n = example.printed[-1].after
    curves = {s: course(example, network(example, activation=s), n)[1] for s in names}
    xlabel = "iteration" if len(example.X) == 1 else "epoch"
    plot.save(plot.losses(curves, xlabel=xlabel, first=0, log=True), path)


def animation(example: Example, path: Path) -> None:
    """Draw the curve that the network computes, as it learns."""
    recorder = plot.Recorder(at=FRAMES)
    descent = SGD(learning_rate=example.learning_rate)
    epochs = example.printed[-1].after
    network(example).train(example.X, example.Y, epochs=epochs, optimizer=descent, shuffle=False, callbacks=[recorder])
    recorder.animate(path, "fit")


PICTURES: dict[str, dict[str, Callable[[Example, Path], None]]] = {
    "value": {"convergence.png": convergence},
    "closeness": {"fit.png": output_fit, "error.png": errors},
    "spread": {"fit.png": sample_fit, "error.png": errors, "fit.gif": animation},
}
