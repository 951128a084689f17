"""Compare fastmlp's Levenberg-Marquardt with SciPy's, and with Adam, on small problems of regression.

    pip install 'fastmlp[scipy]'
    python benchmarks/levenberg_marquardt.py
    python benchmarks/levenberg_marquardt.py --quick

Every method starts from the same weights, of several seeds, in float64 and on one thread, and sees the same
residuals. SciPy is ``least_squares(method="lm")`` (MINPACK) with its own tolerances and its limit of 100 evaluations
per parameter, once with the Jacobian that ``net.jacobian`` computes, and once with its own finite differences; fastmlp
makes up to 1000 steps. Least squares of networks have many minima, and which one is found from a start is chance: the
table has the median and the lowest error (J) of nine starts, and the seconds that all of them took. ``x faster`` is
the quicker of SciPy's two ways over ours.

Adam trains from three of the starts, with full batches and with batches of 32, at three learning rates each.
``Adam`` is the lowest error of all these runs at any epoch, and ``s to it`` the seconds that the way which found it
took from the three starts, each up to its own lowest error. ``LM`` are the seconds of Levenberg-Marquardt, start
after start (a hundred at most), until one of them has that error to one percent.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np

import fastmlp
from fastmlp.reference.arrays import Array

Problem = tuple[Array, Array, list[int]]


def standardized(columns: object) -> Array:
    """Return an array of columns with mean 0 and standard deviation 1."""
    a = np.asarray(columns, dtype=np.float64)
    a = a.reshape(len(a), -1)
    scaled: Array = (a - a.mean(axis=0)) / a.std(axis=0)
    return scaled


def misra1a(rng: np.random.Generator) -> Problem:
    """NIST StRD, Misra1a: monomolecular adsorption, 14 observations of volume over pressure."""
    x = [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0]
    y = [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78]
    return standardized(x), standardized(y), [1, 2, 1]


def sinc(rng: np.random.Generator) -> Problem:
    """sin(x) / x, with some noise."""
    x = np.linspace(-10, 10, 101)
    return standardized(x), standardized(np.sinc(x / np.pi) + 0.02 * rng.standard_normal(101)), [1, 8, 1]


def friedman_1(rng: np.random.Generator) -> Problem:
    """Ten inputs, of which five matter (Friedman 1991)."""
    X = rng.uniform(size=(200, 10))
    signal = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2 + 10 * X[:, 3] + 5 * X[:, 4]
    return standardized(X), standardized(signal + rng.standard_normal(200)), [10, 5, 1]


def robot_arm(rng: np.random.Generator) -> Problem:
    """Where the hand of an arm of two links is, by its two angles (MacKay 1992)."""
    angles = rng.uniform([0, 0], [np.pi / 2, np.pi], size=(200, 2))
    shoulder, both = angles[:, 0], angles.sum(axis=1)
    hand = np.stack([2 * np.cos(shoulder) + 1.3 * np.cos(both), 2 * np.sin(shoulder) + 1.3 * np.sin(both)], axis=1)
    return standardized(angles), standardized(hand + 0.02 * rng.standard_normal(hand.shape)), [2, 8, 2]


def mackey_glass(rng: np.random.Generator) -> Problem:
    """A chaotic series, six steps ahead from four of its past values (Mackey & Glass 1977)."""
    series = [1.2] * 18
    for _ in range(700):
        series.append(0.9 * series[-1] + 0.2 * series[-18] / (1 + series[-18] ** 10))
    s, i = np.array(series), np.arange(318, 618)
    return standardized(np.stack([s[i], s[i - 6], s[i - 12], s[i - 18]], axis=1)), standardized(s[i + 6]), [4, 6, 1]


def chirp(rng: np.random.Generator) -> Problem:
    """A sine that gets faster, with some noise."""
    x = np.linspace(0, 1, 120)
    y = np.sin(2 * np.pi * (x + 3 * x * x)) + 0.05 * rng.standard_normal(120)
    return standardized(x), standardized(y), [1, 12, 1]


def franke(rng: np.random.Generator) -> Problem:
    """Franke's surface (1979): two peaks and a dip, with some noise."""
    X = rng.uniform(size=(200, 2))
    x, y = 9 * X.T
    peaks = 0.75 * np.exp(-((x - 2) ** 2 + (y - 2) ** 2) / 4) + 0.5 * np.exp(-((x - 7) ** 2 + (y - 3) ** 2) / 4)
    slope = 0.75 * np.exp(-((x + 1) ** 2) / 49 - (y + 1) / 10) - 0.2 * np.exp(-((x - 4) ** 2) - (y - 7) ** 2)
    return standardized(X), standardized(peaks + slope + 0.02 * rng.standard_normal(200)), [2, 8, 1]


def rosenbrock(rng: np.random.Generator) -> Problem:
    """Rosenbrock's valley (1960) without noise."""
    x, y = rng.uniform([-2, -1], [2, 3], size=(150, 2)).T
    return standardized(np.stack([x, y], axis=1)), standardized((1 - x) ** 2 + 100 * (y - x * x) ** 2), [2, 8, 1]


def ripple(rng: np.random.Generator) -> Problem:
    """A wave that runs out from the middle, with some noise."""
    X = rng.uniform(-3, 3, size=(300, 2))
    radius = np.hypot(*X.T)
    return (
        standardized(X),
        standardized(np.cos(2 * radius) / (1 + radius) + 0.02 * rng.standard_normal(300)),
        [2, 10, 1],
    )


def damped_oscillation(rng: np.random.Generator) -> Problem:
    """A swing that dies away, by time and damping, without noise."""
    t, damping = rng.uniform([0, 0.1], [3, 1], size=(250, 2)).T
    swing = np.exp(-damping * t) * np.cos(4 * t)
    return standardized(np.stack([t, damping], axis=1)), standardized(swing), [2, 8, 1]


PROBLEMS: list[Callable[[np.random.Generator], Problem]] = [
    misra1a,
    sinc,
    friedman_1,
    robot_arm,
    mackey_glass,
    chirp,
    franke,
    rosenbrock,
    ripple,
    damped_oscillation,
]


def starts_of(sizes: list[int], n: int) -> list[fastmlp.Network]:
    return [fastmlp.Network(sizes, dtype="float64", random_state=seed) for seed in range(n)]


@dataclass
class Results:
    """The error of each start, and the seconds of all of them."""

    errors: list[float]
    seconds: float

    @property
    def median(self) -> float:
        return float(np.median(self.errors))

    @property
    def lowest(self) -> float:
        return min(self.errors)


def run(starts: list[fastmlp.Network], solve: Callable[[fastmlp.Network], float]) -> Results:
    """Time ``solve``, which returns the error that it reaches, on a copy of each start."""
    nets = [net.copy() for net in starts]
    begin = time.perf_counter()
    errors = [solve(net) for net in nets]
    return Results(errors, time.perf_counter() - begin)


def ours(X: Array, Y: Array, epochs: int) -> Callable[[fastmlp.Network], float]:
    def solve(net: fastmlp.Network) -> float:
        net.train(X, Y, epochs=epochs, optimizer=fastmlp.LevenbergMarquardt())
        return net.loss(X, Y)

    return solve


def scipys(X: Array, Y: Array, analytic: bool, evaluations: int) -> Callable[[fastmlp.Network], float]:
    from scipy.optimize import least_squares

    def solve(net: fastmlp.Network) -> float:
        def residuals(parameters: Array) -> Array:
            net.parameters[:] = parameters
            return (net.predict(X) - Y).ravel()

        def jacobian(parameters: Array) -> Array:
            net.parameters[:] = parameters
            return net.jacobian(X).reshape(Y.size, -1)

        start = net.parameters.copy()
        jac = jacobian if analytic else "2-point"
        return float(least_squares(residuals, start, jac, method="lm", max_nfev=evaluations).cost) / len(X)

    return solve


@dataclass
class Descent:
    """The lowest error of Adam, the seconds to get there, and those of Levenberg-Marquardt to the same error."""

    error: float
    seconds: float
    ours: float


WAYS = [(batch_size, rate) for batch_size in (None, 32) for rate in (0.03, 0.01, 0.003)]


def adam(
    X: Array, Y: Array, start: fastmlp.Network, batch_size: int | None, rate: float, epochs: int
) -> tuple[float, float]:
    """Return the lowest error of all epochs, and the seconds up to there."""
    # Where the weights move while an epoch's loss is taken, the same data for validation tell where they got to.
    validation = None if batch_size is None else (X, Y)
    history = start.copy().train(
        X,
        Y,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=fastmlp.Adam(learning_rate=rate),
        validation_data=validation,
        random_state=0,
    )
    losses = history.validation_loss if validation else history.loss
    best = int(np.argmin(losses))
    return losses[best], history.seconds * (best + 1) / epochs


def descend(X: Array, Y: Array, sizes: list[int], epochs: int, most: int) -> Descent:
    """Let Adam go from three starts in each of its ways, and see how long ours takes to be as good."""
    found = []
    for batch_size, rate in WAYS:
        rounds = epochs if batch_size is None else epochs // 4
        errors, seconds = zip(*(adam(X, Y, s, batch_size, rate, rounds) for s in starts_of(sizes, 3)), strict=True)
        found.append((min(errors), sum(seconds)))
    error, taken = min(found)
    return Descent(error, taken, time_to(1.01 * error, X, Y, sizes, most))


def time_to(error: float, X: Array, Y: Array, sizes: list[int], epochs: int) -> float:
    """Return the seconds of Levenberg-Marquardt, start after start, to the error; infinity if a hundred don't do."""
    total = 0.0
    for start in starts_of(sizes, 100):
        net = start.copy()
        history = net.train(X, Y, epochs=epochs, optimizer=fastmlp.LevenbergMarquardt())
        losses = [*history.loss, net.loss(X, Y)]
        enough = next((i for i, J in enumerate(losses) if error >= J), None)
        if enough is not None:
            return total + run([start], ours(X, Y, enough)).seconds
        total += history.seconds
    return float("inf")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three starts, and fewer steps of all methods")
    parser.add_argument("--only", help="problems, separated by commas")
    args = parser.parse_args(argv)
    n_starts, epochs, evaluations, descents = (3, 300, 5, 2000) if args.quick else (9, 1000, 100, 40_000)
    names = args.only.split(",") if args.only else [make.__name__ for make in PROBLEMS]
    print(
        f"{'':19}{'':>5}{'median error':^31}{'lowest error':^31}{'seconds':^31}{'x faster':>9}   "
        f"{'Adam':>9}{'s to it':>9}{'LM':>9}{'x faster':>9}"
    )
    three = f"{'fastmlp':>10}{'Jacobian':>10}{'differ.':>10} "
    print(f"{'problem':19}{'p':>5}{three * 3}", flush=True)
    for make in PROBLEMS:
        if make.__name__ not in names:
            continue
        X, Y, sizes = make(np.random.default_rng(0))
        starts = starts_of(sizes, n_starts)
        p = starts[0].parameters.size
        rows = [
            run(starts, ours(X, Y, epochs)),
            run(starts, scipys(X, Y, True, evaluations * p)),
            run(starts, scipys(X, Y, False, evaluations * p)),
        ]
        line = f"{make.__name__:19}{p:5}"
        line += "".join(f"{r.median:10.3g}" for r in rows) + " "
        line += "".join(f"{r.lowest:10.3g}" for r in rows) + " "
        line += "".join(f"{r.seconds:10.3g}" for r in rows) + " "
        line += f"{min(rows[1].seconds, rows[2].seconds) / rows[0].seconds:9.1f}   "
        descent = descend(X, Y, sizes, descents, epochs)
        line += f"{descent.error:9.3g}{descent.seconds:9.3g}{descent.ours:9.3g}{descent.seconds / descent.ours:9.1f}"
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
