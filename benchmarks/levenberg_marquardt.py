"""Compare fastmlp's Levenberg-Marquardt with SciPy's, and with Adam, on small problems of regression.

    pip install 'fastmlp[scipy]' scikit-learn
    python benchmarks/levenberg_marquardt.py
    python benchmarks/levenberg_marquardt.py --quick

Every method starts from the same weights, of several seeds, in float64 and on one thread, and sees the same
residuals. SciPy is ``least_squares(method="lm")`` (MINPACK) with its own tolerances and its limit of 100 evaluations
per parameter, once with the Jacobian that ``net.jacobian`` computes, and once with its own finite differences; fastmlp
makes up to 1000 steps. Least squares of networks have many minima, and which one is found from a start is chance: the
first table has the median and the lowest error (J) of nine starts, and the seconds that all of them took. ``x faster``
is the quicker of SciPy's two ways over ours.

In the second table, Adam trains from three of the starts, with full batches and with batches of 32, at three learning
rates each: eighteen runs, of 40,000 epochs with full batches and of 10,000 with small ones. ``Adam`` is the lowest
error of all of them after any epoch. ``all`` are the seconds that all runs took, each up to its own lowest error;
``way`` those of the three runs with the batch size and the learning rate that turned out best, as if one had known
them. Where an error was lowest is found in a run that looks after every epoch; the seconds are those of a second one
that only goes as far as there. ``LM`` are the seconds in which a search has Adam's error, to one percent; the last two
columns are ``way`` and ``all`` over it.

A search is Levenberg-Marquardt with its default settings and successive halving (Jamieson & Talwalkar 2016), the same
for all problems: of sixteen starts that go 20 steps, the better half goes on to 40, of those the better half to 80, and
so on until one is left, which goes up to 1280; then come sixteen new starts. A look at the error every 20 steps ends
the search. Its seconds are those of all its steps, the median of five searches with starts of their own; infinity means
that ten times sixteen starts did not do.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np

import fastmlp
from fastmlp.reference.arrays import Array
from fastmlp.reference.results import History

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


def thurber(rng: np.random.Generator) -> Problem:
    """NIST StRD, Thurber: electron mobility, 37 observations over the logarithm of density."""
    x = [-3.067, -2.981, -2.921, -2.912, -2.840, -2.797, -2.702, -2.699, -2.633, -2.481, -2.363, -2.322, -1.501]
    x += [-1.460, -1.274, -1.212, -1.100, -1.046, -0.915, -0.714, -0.566, -0.545, -0.400, -0.309, -0.109, -0.103]
    x += [0.010, 0.119, 0.377, 0.790, 0.963, 1.006, 1.115, 1.572, 1.841, 2.047, 2.200]
    y = [80.574, 84.248, 87.264, 87.195, 89.076, 89.608, 89.868, 90.101, 92.405, 95.854, 100.696, 101.060, 401.672]
    y += [390.724, 567.534, 635.316, 733.054, 759.087, 894.206, 990.785, 1090.109, 1080.914, 1122.643, 1178.351]
    y += [1260.531, 1273.514, 1288.339, 1327.543, 1353.863, 1414.509, 1425.208, 1421.384, 1442.962, 1464.350]
    y += [1468.705, 1447.894, 1457.628]
    return standardized(x), standardized(y), [1, 3, 1]


def three_links(rng: np.random.Generator) -> Problem:
    """Where the hand of an arm of three links is, by its three angles, without noise."""
    angles = rng.uniform([0, 0, -np.pi / 2], [np.pi / 2, np.pi / 2, np.pi / 2], size=(300, 3))
    directions = np.cumsum(angles, axis=1)
    lengths = np.array([1.0, 0.8, 0.5])
    hand = np.stack([np.cos(directions) @ lengths, np.sin(directions) @ lengths], axis=1)
    return standardized(angles), standardized(hand), [3, 8, 2]


def henon(rng: np.random.Generator) -> Problem:
    """Henon's map (1976), two steps ahead from its last two values, with some noise."""
    series = [0.1, 0.1]
    for _ in range(300):
        series.append(1 - 1.4 * series[-1] ** 2 + 0.3 * series[-2])
    s, i = np.array(series) + 0.01 * rng.standard_normal(302), np.arange(51, 251)
    return standardized(np.stack([s[i], s[i - 1]], axis=1)), standardized(s[i + 2]), [2, 6, 1]


def pendulum(rng: np.random.Generator) -> Problem:
    """The angle of a pendulum without friction, by time and by the angle where it was let go, without noise."""
    first, steps = rng.uniform(0.2, 3, 250), rng.integers(1, 401, 250)
    angle, speed = first.copy(), np.zeros(250)
    angles = np.empty(250)
    for step in range(1, 401):  # Stoermer and Verlet's steps of a hundredth
        speed -= 0.005 * np.sin(angle)
        angle += 0.01 * speed
        speed -= 0.005 * np.sin(angle)
        angles[steps == step] = angle[steps == step]
    return standardized(np.stack([steps, first], axis=1)), standardized(angles), [2, 8, 1]


def diabetes(rng: np.random.Generator) -> Problem:
    """How far diabetes went within a year, by ten measurements of 442 patients (Efron et al. 2004)."""
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    return standardized(X), standardized(y), [10, 4, 1]


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
    thurber,
    three_links,
    henon,
    pendulum,
]
if importlib.util.find_spec("sklearn"):
    PROBLEMS.append(diabetes)


def starts_of(sizes: list[int], n: int, first: int = 0) -> list[fastmlp.Network]:
    return [fastmlp.Network(sizes, dtype="float64", random_state=seed) for seed in range(first, first + n)]


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
    """The lowest error of Adam, the seconds of its best way and of all, and Levenberg-Marquardt's to the same error."""

    error: float
    way: float
    all: float
    ours: float


WAYS = [(batch_size, rate) for batch_size in (None, 32) for rate in (0.03, 0.01, 0.003)]
# Of a search: starts that begin together, steps from one look at the error to the next, steps of the last start,
# and groups of starts after which it is given up.
STARTS, STEPS, MOST_STEPS, GROUPS = 16, 20, 1280, 10


def adam(
    X: Array, Y: Array, start: fastmlp.Network, batch_size: int | None, rate: float, epochs: int
) -> tuple[float, float]:
    """Return the lowest error after any epoch, and the seconds of a run up to there."""

    def train(epochs: int, validation_data: tuple[Array, Array] | None = None) -> History:
        return start.copy().train(
            X,
            Y,
            epochs=epochs,
            batch_size=batch_size,
            optimizer=fastmlp.Adam(learning_rate=rate),
            validation_data=validation_data,
            random_state=0,
        )

    errors = train(epochs, (X, Y)).validation_loss
    best = int(np.argmin(errors))
    return errors[best], train(best + 1).seconds


def descend(X: Array, Y: Array, sizes: list[int], epochs: int) -> Descent:
    """Let Adam go from three starts in each of its ways, and see how long ours takes to be as good."""
    ways = []
    for batch_size, rate in WAYS:
        rounds = epochs if batch_size is None else epochs // 4
        errors, seconds = zip(*(adam(X, Y, s, batch_size, rate, rounds) for s in starts_of(sizes, 3)), strict=True)
        ways.append((min(errors), sum(seconds)))
    error, way = min(ways)
    return Descent(error, way, sum(seconds for _, seconds in ways), time_to(error, X, Y, sizes))


def time_to(error: float, X: Array, Y: Array, sizes: list[int]) -> float:
    """Return the median seconds of five searches for the error, or for one no more than a percent above it."""
    seeds = range(0, 5 * STARTS * GROUPS, STARTS * GROUPS)
    return float(np.median([search(1.01 * error, X, Y, sizes, first) for first in seeds]))


def search(error: float, X: Array, Y: Array, sizes: list[int], first: int) -> float:
    """Return the seconds of Levenberg-Marquardt to the error, by successive halving from the seed ``first`` on."""
    starts = starts_of(sizes, STARTS * GROUPS, first)
    begin = time.perf_counter()
    for group in range(0, STARTS * GROUPS, STARTS):
        runs = [(net, fastmlp.LevenbergMarquardt()) for net in starts[group : group + STARTS]]
        done = 0
        while runs and done < MOST_STEPS:
            stretches = max(1, done // STEPS)
            left = []
            for net, solver in runs:
                for _ in range(stretches):
                    history = net.train(X, Y, epochs=STEPS, optimizer=solver)
                    if (J := net.loss(X, Y)) <= error:
                        return time.perf_counter() - begin
                    if history.stop_reason != "all epochs done":
                        break
                else:
                    left.append((J, net, solver))
            left.sort(key=lambda run: run[0])
            done += stretches * STEPS
            runs = [run[1:] for run in left[: max(1, len(runs) // 2)]]
    return float("inf")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three starts, and fewer steps of all methods")
    parser.add_argument("--only", help="problems, separated by commas")
    args = parser.parse_args(argv)
    n_starts, epochs, evaluations, descents = (3, 300, 5, 2000) if args.quick else (9, 1000, 100, 40_000)
    names = args.only.split(",") if args.only else [make.__name__ for make in PROBLEMS]
    print(f"{'':19}{'':>5}{'median error':^31}{'lowest error':^31}{'seconds':^31}")
    three = f"{'fastmlp':>10}{'Jacobian':>10}{'differ.':>10} "
    print(f"{'problem':19}{'p':>5}{three * 3}{'x faster':>9}", flush=True)
    problems = [make for make in PROBLEMS if make.__name__ in names]
    for make in problems:
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
        line += f"{min(rows[1].seconds, rows[2].seconds) / rows[0].seconds:9.1f}"
        print(line, flush=True)
    print(f"\n{'problem':19}{'Adam':>10}{'way':>10}{'all':>10}{'LM':>10}{'x way':>9}{'x all':>9}", flush=True)
    for make in problems:
        X, Y, sizes = make(np.random.default_rng(0))
        adams = descend(X, Y, sizes, descents)
        line = f"{make.__name__:19}{adams.error:10.3g}{adams.way:10.3g}{adams.all:10.3g}{adams.ours:10.3g}"
        print(f"{line}{adams.way / adams.ours:9.1f}{adams.all / adams.ours:9.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
