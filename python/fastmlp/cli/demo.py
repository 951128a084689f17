"""``fastmlp demo``: handwritten digits, learned by the compiled core and by its NumPy twin."""

from __future__ import annotations

import argparse

import numpy as np

from .. import Adam, Network, _core, reference
from ..data import load_digits
from ..errors import UserError
from ..reference.arrays import Array
from ..reference.batches import permutation
from . import arguments

LAYER_SIZES = (64, 128, 64, 10)
EPOCHS, BATCH_SIZE, LEARNING_RATE, SEED = 100, 16, 0.001, 0

# What it must reach. float32 against float64 differs by 1e-5 after this training, and both twins are float32.
MIN_ACCURACY, MAX_DIFFERENCE = 0.96, 1e-3


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "demo",
        help="learn handwritten digits, in seconds",
        description="Train a network on 1,438 images of handwritten digits and test it on 359 others: once with the "
        "compiled core and once with the NumPy reference, from the same seed. The exit code is 1 if the accuracy is "
        f"below {MIN_ACCURACY:.0%} or the two disagree.",
    )
    command.add_argument(
        "--output",
        default="digits.safetensors",
        metavar="FILE",
        help="where to save the network (default: %(default)s)",
    )
    arguments.add_threads(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train both networks, compare them and save the compiled one."""
    arguments.check_output(args.output)
    X, labels = load_digits()
    Y = np.eye(10, dtype=np.float32)[labels]
    order = permutation(len(X), np.random.default_rng(SEED))
    test, train = order[: len(X) // 5], order[len(X) // 5 :]
    print(f"handwritten digits: {len(train)} images of 8 x 8 pixels to train on, {len(test)} to test with")
    sizes = "-".join(map(str, LAYER_SIZES))
    print(f"network {sizes}, tanh: {EPOCHS} epochs of batches of {BATCH_SIZE}, Adam", flush=True)

    core = Network(LAYER_SIZES, random_state=SEED)
    twin = reference.Network(LAYER_SIZES, random_state=SEED)
    seconds = _train(core, X[train], Y[train], args.threads)
    seconds_twin = _train(twin, X[train], Y[train], None)
    Y_hat = core.predict(X[test], n_threads=args.threads)
    accuracy = float(np.mean(Y_hat.argmax(axis=1) == labels[test]))
    difference = float(np.abs(Y_hat - twin.predict(X[test])).max())
    try:
        core.save(args.output)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot save the network to {args.output}: {error}") from None

    print(f"accuracy on the test images   {accuracy:.1%}")
    print(f"fastmlp                       {seconds:.3f} s, on up to {args.threads or _core.n_threads()} threads")
    print(f"fastmlp.reference (NumPy)     {seconds_twin:.3f} s, {seconds_twin / seconds:.1f} times as long")
    print(f"largest difference of outputs {difference:.1e}")
    print(f"saved in {args.output}")
    return _verdict(accuracy, difference)


def _train(net: Network | reference.Network, X: Array, Y: Array, n_threads: int | None) -> float:
    """Train a network and return how many seconds it took."""
    history = net.train(
        X,
        Y,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        optimizer=Adam(LEARNING_RATE),
        progress=True,
        random_state=SEED,
        n_threads=n_threads,
    )
    return history.seconds


def _verdict(accuracy: float, difference: float) -> int:
    """Say what went wrong, if anything, and return the exit code."""
    code = 0
    if accuracy < MIN_ACCURACY:
        print(f"FAILED: the accuracy is below {MIN_ACCURACY:.0%}")
        code = 1
    if not difference <= MAX_DIFFERENCE:
        print(f"FAILED: the two networks differ by more than {MAX_DIFFERENCE:g}")
        code = 1
    return code
