"""``fastmlp demo``: handwritten digits, learned by the compiled core and by its NumPy twin."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from .. import Adam, Network, _core, reference
from ..data import load_digits
from ..errors import UserError
from ..reference.arrays import Array
from ..reference.batches import permutation
from . import arguments
from .output import print_json

LAYER_SIZES = (64, 128, 64, 10)
EPOCHS, BATCH_SIZE, LEARNING_RATE, SEED = 100, 16, 0.001, 0

# What it must reach. float32 against float64 differs by 1e-5 after this training, and both twins are float32.
MIN_ACCURACY, MAX_DIFFERENCE = 0.96, 1e-3


def add(commands: Any) -> None:
    """Declare the command."""
    command = arguments.add_command(
        commands,
        "demo",
        "learn handwritten digits, in seconds",
        "Train a network on 1,438 images of handwritten digits and test it on 359 others: once with the compiled core "
        f"and once with the NumPy reference, from the same seed. The exit code is 1 if the accuracy is below "
        f"{MIN_ACCURACY:.0%} or the two disagree.",
        "fastmlp demo --threads 1",
    )
    command.add_argument(
        "--output",
        default="digits.safetensors",
        metavar="FILE",
        help="where to save the network (default: %(default)s)",
    )
    arguments.add_threads(command)
    arguments.add_json(command)
    arguments.add_quiet(command, "progress")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train both networks, compare them and save the compiled one."""
    arguments.check_output(args.output)
    X, labels = load_digits()
    Y = np.eye(10, dtype=np.float32)[labels]
    order = permutation(len(X), np.random.default_rng(SEED))
    test, train = order[: len(X) // 5], order[len(X) // 5 :]
    if not args.json:
        _introduce(len(train), len(test))

    core = Network(LAYER_SIZES, random_state=SEED)
    twin = reference.Network(LAYER_SIZES, random_state=SEED)
    seconds = _train(core, X[train], Y[train], args.threads, args.quiet)
    seconds_twin = _train(twin, X[train], Y[train], None, args.quiet)
    Y_hat = core.predict(X[test], n_threads=args.threads)
    accuracy = float(np.mean(Y_hat.argmax(axis=1) == labels[test]))
    difference = float(np.abs(Y_hat - twin.predict(X[test])).max())
    try:
        core.save(args.output)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot save the network to {args.output}: {error}") from None

    failures = _failures(accuracy, difference)
    if args.json:
        results = {"accuracy": accuracy, "difference": difference, "seconds": seconds, "seconds_numpy": seconds_twin}
        print_json({**results, "output": args.output, "failures": failures})
        return 1 if failures else 0
    print(f"accuracy on the test images   {accuracy:.1%}")
    print(f"fastmlp                       {seconds:.3f} s, on up to {args.threads or _core.n_threads()} threads")
    print(f"fastmlp.reference (NumPy)     {seconds_twin:.3f} s, {seconds_twin / seconds:.1f} times as long")
    print(f"largest difference of outputs {difference:.1e}")
    print(f"saved in {args.output}")
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


def _introduce(n_train: int, n_test: int) -> None:
    """Say what will be trained."""
    print(f"handwritten digits: {n_train} images of 8 x 8 pixels to train on, {n_test} to test with")
    sizes = "-".join(map(str, LAYER_SIZES))
    print(f"network {sizes}, tanh: {EPOCHS} epochs of batches of {BATCH_SIZE}, Adam", flush=True)


def _train(net: Network | reference.Network, X: Array, Y: Array, n_threads: int | None, quiet: bool) -> float:
    """Train a network and return how many seconds it took."""
    history = net.train(
        X,
        Y,
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        optimizer=Adam(LEARNING_RATE),
        progress=not quiet,
        random_state=SEED,
        n_threads=n_threads,
    )
    return history.seconds


def _failures(accuracy: float, difference: float) -> list[str]:
    """Say what went wrong, if anything."""
    failures = []
    if accuracy < MIN_ACCURACY:
        failures.append(f"the accuracy is below {MIN_ACCURACY:.0%}")
    if not difference <= MAX_DIFFERENCE:
        failures.append(f"the two networks differ by more than {MAX_DIFFERENCE:g}")
    return failures
