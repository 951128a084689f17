"""Compare fastmlp's estimators with scikit-learn's MLP on real data: scores, and seconds of a fit.

    pip install 'fastmlp[peers]'
    python benchmarks/estimators.py
    python benchmarks/estimators.py --only diamonds,mnist --threads 1 --dtype float32 --batch-size 32
    python benchmarks/estimators.py --json estimators.json --chart docs/estimators.png
    python benchmarks/estimators.py --only diamonds --seeds 3
    python benchmarks/estimators.py --quick

Both get the same keyword arguments: the sizes of the hidden layers, the most epochs and the seed; all else is
scikit-learn's default (Adam, batches of 200, a tolerance of 1e-4 over ten epochs). ``epochs`` tells how many of them
each has done. Data are float64, as they come; ``--batch-size`` and ``--dtype`` choose others for both, as
scikit-learn, too, computes in X's type. Five folds are the same for all peers, and rows are shuffled into them.
Numbers, and the targets of regressions, are standardised by the training rows. Scores are accuracy, or R^2: mean and
standard deviation over the folds. Seconds are the median fit of the folds; peers take turns within each fold, in
alternating order. ``--seeds`` fits each fold several times, with other initial weights and shuffles.
Gradient boosting (HistGradientBoosting with default settings) tells what the data would allow.

Each data set is measured in processes of its own: in one where every peer has one thread, and in one where every peer
uses as many as it likes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import DATASETS, Dataset

FOLDS = 5
ENOUGH = 5  # times faster, on every data set
SETTINGS: dict[str, dict[str, Any]] = {  # those that are not the default
    "wine": {},
    "breast_cancer": {},
    "digits": {},
    "churn": {"hidden_layer_sizes": (64, 64), "max_iter": 100},
    "mnist": {"hidden_layer_sizes": (64, 64), "max_iter": 50},
    "diabetes": {},
    "concrete": {},
    "ames": {"hidden_layer_sizes": (64, 64), "max_iter": 100},
    "diamonds": {"hidden_layer_sizes": (64, 64), "max_iter": 50},
    "flights": {"hidden_layer_sizes": (64, 64), "max_iter": 5},
}
QUICK = ("wine", "diabetes")
NETWORKS = ("scikit-learn", "fastmlp")
PEERS = (*NETWORKS, "boosting")


@dataclass
class Fit:
    """What one peer did in one fold; boosting counts no epochs."""

    score: float
    seconds: float
    epochs: int | None


@dataclass
class Result:
    """What all peers did with a data set. ``threads`` is None where all may be used."""

    name: str
    threads: int | None
    rows: int
    features: int
    fits: dict[str, list[Fit]]

    def seconds(self, peer: str) -> float:
        return statistics.median(fit.seconds for fit in self.fits[peer])

    def score(self, peer: str) -> tuple[float, float]:
        scores = [fit.score for fit in self.fits[peer]]
        return statistics.mean(scores), statistics.stdev(scores)

    def epochs(self, peer: str) -> float:
        return statistics.mean(fit.epochs or 0 for fit in self.fits[peer])

    @property
    def times_faster(self) -> float:
        return self.seconds("scikit-learn") / self.seconds("fastmlp")

    @property
    def is_as_good(self) -> bool:
        """Whether fastmlp's score is at most a standard deviation below scikit-learn's."""
        score, deviation = self.score("scikit-learn")
        return self.score("fastmlp")[0] >= score - deviation

    def row(self) -> str:
        """Return a line of the Markdown table, with dashes for a peer that was left out."""
        scores = ["{:.3f} ± {:.3f}".format(*self.score(peer)) if peer in self.fits else "-" for peer in PEERS]
        epochs = [f"{self.epochs(peer):.0f}" for peer in NETWORKS]
        seconds = [f"{self.seconds(peer):.3g}" if peer in self.fits else "-" for peer in PEERS]
        size = [f"{self.rows:,}", str(self.features), str(self.threads or "all")]
        return f"| {' | '.join([self.name, *size, *scores, *epochs, *seconds, f'{self.times_faster:.1f}'])} |"


HEAD = (
    "| data | rows | features | threads | score: scikit-learn | fastmlp | boosting | epochs: scikit-learn | fastmlp "
    "| seconds: scikit-learn | fastmlp | boosting | times faster |\n|---|--:|--:|--:|" + 9 * "--:|"
)


def estimator(peer: str, is_classification: bool, settings: dict[str, Any], threads: int | None) -> Any:
    """Return a peer's estimator."""
    kind = "Classifier" if is_classification else "Regressor"
    if peer == "boosting":
        from sklearn import ensemble

        return getattr(ensemble, f"HistGradientBoosting{kind}")(random_state=settings["random_state"])
    if peer == "fastmlp":
        import fastmlp

        return getattr(fastmlp, f"MLP{kind}")(**settings, n_jobs=threads)
    from sklearn import neural_network

    return getattr(neural_network, f"MLP{kind}")(**settings)


def measure(
    name: str, peers: Sequence[str], threads: int | None, settings: dict[str, Any], dtype: str, n_seeds: int
) -> Result:
    """Cross-validate peers on a data set, in this process."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import KFold, StratifiedKFold

    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    data = DATASETS[name]()
    splitter = StratifiedKFold if data.is_classification else KFold
    folds = list(splitter(FOLDS, shuffle=True, random_state=0).split(data.X, data.y))
    fits: dict[str, list[Fit]] = {peer: [] for peer in peers}
    for seed, (train, test) in enumerate(folds * n_seeds):
        samples = standardised(data, train, test, dtype)
        for peer in peers if seed % 2 else reversed(peers):
            model = estimator(peer, data.is_classification, {**settings, "random_state": seed}, threads)
            fits[peer].append(fit(model, *samples))
    rows, features = data.X.shape
    return Result(name, threads, rows, features, fits)


def standardised(data: Dataset, train: Any, test: Any, dtype: str) -> tuple[Any, Any, Any, Any]:
    """Return X and y of the training rows, and X and y of the test rows."""
    X, y = data.X.astype(dtype), data.y
    numbers = X[:, : data.n_numbers]
    numbers -= numbers[train].mean(axis=0)
    numbers /= numbers[train].std(axis=0)
    if not data.is_classification:
        y = (y - y[train].mean()) / y[train].std()
    return X[train], y[train], X[test], y[test]


def fit(model: Any, X: Any, y: Any, X_test: Any, y_test: Any) -> Fit:
    """Fit, and look how good it is."""
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    return Fit(model.score(X_test, y_test), seconds, getattr(model, "n_iter_", None))


def measure_apart(name: str, peers: Sequence[str], threads: int | None, *rest: Any) -> Result:
    """Do :func:`measure` in a new process, whose libraries have so many threads."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.pop(variable, None)
        if threads:
            os.environ[variable] = str(threads)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, name, peers, threads, *rest).result()


def summary(results: Sequence[Result]) -> str:
    """Tell in a sentence how much faster fits are, and where the goals are missed."""
    ratios = {result.name: result.times_faster for result in results}
    slow = [f"{name} ({ratio:.1f})" for name, ratio in ratios.items() if ratio < ENOUGH]
    worse = [result.name for result in results if not result.is_as_good]
    return (
        f"threads {results[0].threads or 'all'}: {statistics.geometric_mean(ratios.values()):.1f} times faster in the "
        f"geometric mean, {min(ratios.values()):.1f} at least; under {ENOUGH}: {', '.join(slow) or 'none'}; "
        f"score lower by more than a standard deviation: {', '.join(worse) or 'none'}"
    )


def draw(results: Sequence[Result], path: str) -> None:
    """Draw the seconds of a fit on a logarithmic scale, and how many times longer scikit-learn's are."""
    from matplotlib.figure import Figure

    colours = {"scikit-learn": "#E69F00", "fastmlp": "#0072B2", "boosting": "#999999"}
    markers = {"scikit-learn": "s", "fastmlp": "o", "boosting": "|"}
    settings = list(dict.fromkeys(result.threads for result in results))
    names = list(dict.fromkeys(result.name for result in results))
    figure = Figure(figsize=(9, 1.6 + 0.38 * len(names)), dpi=100, layout="constrained")
    panels = figure.subplots(1, len(settings), sharex=True, sharey=True, squeeze=False)[0]
    for axes, threads in zip(panels, settings, strict=True):
        shown = [result for result in results if result.threads == threads]
        places = [names.index(result.name) for result in shown]
        ends = ([result.seconds(peer) for result in shown] for peer in ("fastmlp", "scikit-learn"))
        axes.hlines(places, *ends, color="#cccccc", linewidth=3)
        for peer in results[0].fits:
            seconds = [result.seconds(peer) for result in shown]
            axes.scatter(seconds, places, 36, colours[peer], marker=markers[peer], label=peer, zorder=2)
        for result, place in zip(shown, places, strict=True):
            middle = (result.seconds("fastmlp") * result.seconds("scikit-learn")) ** 0.5
            text = f"{result.times_faster:.1f}x"
            axes.annotate(text, (middle, place), (0, 5), textcoords="offset points", ha="center", fontsize=9)
        axes.set_xscale("log")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("seconds of a fit")
        axes.set_title(
            "all threads" if threads is None else f"{threads} thread{'' if threads == 1 else 's'}", fontsize=10
        )
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="data sets, separated by commas")
    parser.add_argument("--threads", default="1,all", help="settings, separated by commas: a number, or all")
    parser.add_argument("--quick", action="store_true", help=f"{' and '.join(QUICK)} alone, and five epochs")
    parser.add_argument("--batch-size", type=int, help="samples of a batch, instead of 200")
    parser.add_argument("--dtype", default="float64", choices=("float64", "float32"), help="of X")
    parser.add_argument("--seeds", type=int, default=1, help="fits of each fold")
    parser.add_argument("--no-boosting", action="store_true", help="leave out gradient boosting, which takes longest")
    parser.add_argument("--json", help="write all scores, seconds and epochs to this file")
    parser.add_argument("--chart", help="write a chart of the seconds to this file")
    args = parser.parse_args(argv)
    names = args.only.split(",") if args.only else QUICK if args.quick else list(SETTINGS)
    threads = [None if word == "all" else int(word) for word in args.threads.split(",")]
    changed: dict[str, Any] = {"max_iter": 5} if args.quick else {}
    if args.batch_size:
        changed["batch_size"] = args.batch_size
    peers = NETWORKS if args.no_boosting else PEERS
    print(HEAD)
    results = []
    for name in names:
        for number in threads:
            results.append(measure_apart(name, peers, number, SETTINGS[name] | changed, args.dtype, args.seeds))
            print(results[-1].row(), flush=True)
    for number in threads:
        print("\n" + summary([result for result in results if result.threads == number]))
    if args.json:
        Path(args.json).write_text(json.dumps([asdict(result) for result in results], indent=1), encoding="utf-8")
    if args.chart:
        draw(results, args.chart)
    return 0


if __name__ == "__main__":
    sys.exit(main())
