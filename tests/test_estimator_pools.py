"""Estimators in searches, pipelines and pools of workers; in pickles and other processes; and under Ctrl-C."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # which makes it importable
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor, _core, reference
from fastmlp.estimators import settings
from fastmlp.reference.arrays import Array

Data = tuple[Array, Array]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class ThreadsOfRuns:
    """Notes how many threads runs are given; 0 is as many as there are."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def on_train_begin(self, state: Any) -> None:
        self.seen.append(state.task.n_threads)


def threads_of_a_fit(n_jobs: int | None = None) -> tuple[int | None, int]:
    """Return what a fit in this thread may take, and what its run is given."""
    look = ThreadsOfRuns()
    X = np.random.default_rng(0).standard_normal((20, 3))
    MLPRegressor(solver="lbfgs", max_iter=1000, n_jobs=n_jobs, callbacks=[look]).fit(X, X[:, 0])
    return settings.threads(n_jobs), look.seen[0]


@pytest.fixture
def many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no limit of threads in the environment."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.usefixtures("many_threads")
class TestThreads:
    """n_jobs: the most threads; None leaves each worker of a pool its share."""

    def test_alone_a_fit_may_take_all(self) -> None:
        assert threads_of_a_fit() == (None, 0)
        assert Parallel(n_jobs=1)(delayed(threads_of_a_fit)() for _ in range(1)) == [(None, 0)]

    def test_a_thread_of_a_pool_takes_one(self) -> None:
        assert Parallel(n_jobs=2, backend="threading")(delayed(threads_of_a_fit)() for _ in range(4)) == [(1, 1)] * 4

    def test_a_process_of_a_pool_takes_its_share(self) -> None:
        with parallel_config("loky", inner_max_num_threads=3):
            assert Parallel(n_jobs=2)(delayed(threads_of_a_fit)() for _ in range(2)) == [(3, 3)] * 2
            # Threads in such a process take one each.
            assert Parallel(n_jobs=2)(delayed(in_threads)() for _ in range(2)) == [[(1, 1)] * 2] * 2

    def test_the_processes_of_a_pool_do_not_crowd_each_other(self) -> None:
        share = max(1, joblib.cpu_count() // 2)
        assert Parallel(n_jobs=2)(delayed(threads_of_a_fit)() for _ in range(4)) == [(share, share)] * 4

    def test_what_is_asked_for_is_taken(self) -> None:
        assert Parallel(n_jobs=2, backend="threading")(delayed(threads_of_a_fit)(3) for _ in range(2)) == [(3, 3)] * 2
        assert threads_of_a_fit(2) == (2, 2)
        assert threads_of_a_fit(-1) == (None, 0)
        assert settings.threads(-2) == max(1, _core.n_threads() - 1)
        assert settings.threads(-1000) == 1

    @pytest.mark.parametrize(("value", "threads"), [("3", 3), ("0", None), ("", None), ("2,1", None), ("many", None)])
    def test_a_limit_of_the_environment(self, value: str, threads: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert settings.threads(None) == threads

    def test_the_result_does_not_depend_on_it(self, cancer: Data) -> None:
        models = [MLPClassifier((64,), max_iter=2, random_state=0, n_jobs=n).fit(*cancer) for n in (1, 2, 5, -1)]
        for model in models[1:]:
            assert np.array_equal(model.network_.parameters, models[0].network_.parameters)


def in_threads() -> list[Any]:
    return list(Parallel(n_jobs=2, backend="threading")(delayed(threads_of_a_fit)() for _ in range(2)))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search(n_jobs: int, iris: Data) -> None:
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(max_iter=30, random_state=0))
    grid = {"mlpclassifier__hidden_layer_sizes": [(4,), (16,)], "mlpclassifier__learning_rate_init": [1e-5, 0.02]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=n_jobs).fit(*iris)
    assert search.best_score_ > 0.9
    assert search.best_params_["mlpclassifier__learning_rate_init"] == 0.02
    by_hand = cross_val_score(clone(pipeline).set_params(**search.best_params_), *iris, cv=3)
    assert search.best_score_ == pytest.approx(by_hand.mean())


def test_halving_search(iris: Data) -> None:
    model = MLPClassifier(learning_rate_init=0.02, random_state=0)
    search = HalvingGridSearchCV(model, {"alpha": [1e-4, 1e4]}, resource="max_iter", min_resources=8, max_resources=32)
    assert search.fit(*iris).best_params_["alpha"] == 1e-4


def test_searches_over_what_only_fastmlp_has(diabetes: Data) -> None:
    grid = [{"solver": ["lm", "auto"], "max_iter": [20]}, {"dropout": [0.0, 0.1], "clip_norm": [None, 1.0]}]
    model = MLPRegressor(hidden_layer_sizes=(2,), activation="tanh", max_iter=5, random_state=0)
    search = GridSearchCV(model, grid, cv=2).fit(*diabetes)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


class TestRouting:
    """Weights find their way through searches and pipelines."""

    @pytest.fixture(autouse=True)
    def routing(self) -> Iterator[None]:
        with sklearn.config_context(enable_metadata_routing=True):
            yield

    def test_sample_weight_through_a_search(self, cancer: Data) -> None:
        X, y = cancer
        weight = np.linspace(0, 2, len(y))
        model = MLPClassifier(max_iter=3, random_state=0)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        folds = StratifiedKFold(3)
        search = GridSearchCV(model, {"alpha": [1.0]}, cv=folds).fit(X, y, sample_weight=weight)
        scores = [
            clone(model).fit(X[train], y[train], weight[train]).score(X[test], y[test], weight[test])
            for train, test in folds.split(X, y)
        ]
        assert search.best_score_ == pytest.approx(np.mean(scores), abs=0.01)
        again = clone(model).set_params(alpha=1.0).fit(X, y, weight)
        assert np.array_equal(search.best_estimator_.network_.parameters, again.network_.parameters)

    def test_sample_weight_and_validation_data_through_a_pipeline(self, cancer: Data) -> None:
        X, y = cancer
        weight = np.linspace(0, 2, len(y))
        model = MLPClassifier(max_iter=3, random_state=0).set_fit_request(sample_weight=True, X_val=True, y_val=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model).fit(X, y, sample_weight=weight, X_val=X, y_val=y)
        direct = clone(model).fit(StandardScaler().fit_transform(X), y, weight, X_val=X, y_val=y)
        assert np.array_equal(pipeline[-1].network_.parameters, direct.network_.parameters)
        assert pipeline[-1].validation_loss_curve_ == direct.validation_loss_curve_

    def test_what_was_not_asked_for_is_refused(self, cancer: Data) -> None:
        with pytest.raises(ValueError, match="sample_weight"):
            GridSearchCV(MLPClassifier(), {"alpha": [1.0]}).fit(*cancer, sample_weight=np.ones(569))


LOADING = """
import pickle, sys
import numpy as np
model, X, y, expected = pickle.load(open(sys.argv[1], "rb"))
assert np.array_equal(model.predict_proba(X), expected)
model.fit(X, y)
print(model.t_)
"""


def test_pickles_work_in_another_process(iris: Data, tmp_path: Path) -> None:
    X, y = iris
    model = MLPClassifier(early_stopping=True, max_iter=3, warm_start=True, random_state=0).fit(X, y)
    (tmp_path / "model").write_bytes(pickle.dumps((model, X, y, model.predict_proba(X))))
    command = [sys.executable, "-W", "ignore", "-c", LOADING, str(tmp_path / "model")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == (f"{2 * model.t_}\n", "")


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_joblibs_files(mmap_mode: str | None, iris: Data, tmp_path: Path) -> None:
    model = MLPClassifier((200,), max_iter=2, random_state=0).fit(*iris)
    joblib.dump(model, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model", mmap_mode=mmap_mode)
    assert np.array_equal(loaded.predict_proba(iris[0]), model.predict_proba(iris[0]))
    for m in (loaded, model):
        m.partial_fit(*iris)
    assert np.array_equal(loaded.network_.parameters, model.network_.parameters)


def test_a_pickle_holds_no_training_data(rng: np.random.Generator) -> None:
    sizes = []
    for n in (100, 10_000):
        X = rng.standard_normal((n, 3))
        model = MLPRegressor(early_stopping=True, scoring="r2", max_iter=2, warm_start=True, random_state=0)
        sizes.append(len(pickle.dumps(model.fit(X, X[:, 0]))))
    assert abs(sizes[0] - sizes[1]) < 200


def test_workers_return_fitted_models(iris: Data) -> None:
    models = [MLPClassifier(max_iter=2, alpha=alpha, random_state=0) for alpha in (0.1, 1.0)]
    fitted = Parallel(n_jobs=2)(delayed(model.fit)(*iris) for model in models)
    for model, one in zip(models, fitted, strict=True):
        assert np.array_equal(one.network_.parameters, model.fit(*iris).network_.parameters)


def test_threads_of_a_pool_share_one_model(iris: Data) -> None:
    model = MLPClassifier(max_iter=2, random_state=0).fit(*iris)
    expected = model.predict_proba(iris[0])
    found = Parallel(n_jobs=4, backend="threading")(delayed(model.predict_proba)(iris[0]) for _ in range(50))
    assert all(np.array_equal(one, expected) for one in found)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
@pytest.mark.parametrize(
    "parameters",
    [{}, {"early_stopping": True}, {"solver": "lbfgs", "hidden_layer_sizes": (400, 400)}, {"solver": "rprop"}],
    ids=str,
)
def test_ctrl_c_leaves_a_fitted_estimator(parameters: dict[str, Any], digits: tuple[Array, Array]) -> None:
    X, y = digits[0], digits[1].argmax(axis=1)
    base = MLPClassifier(max_iter=10**6, n_iter_no_change=10**6, tol=0, alpha=0, random_state=0).set_params(
        **parameters
    )
    # A busy machine may keep the process waiting: one quick answer of three shows what the code does.
    models = (clone(base) for _ in range(3))
    model = next((model for model in models if seconds_to_end(model, X, y) < 0.2), None)
    assert model is not None
    assert model.score(X, y) > 0.5
    assert model.history_.stop_reason == "interrupted"
    assert model.n_iter_ == len(model.loss_curve_) > 0
    if parameters == {"solver": "rprop"}:  # of which every epoch is a step
        assert model._held.optimizer.steps == model.n_iter_
    assert model.loss_ < 2


def seconds_to_end(model: Any, X: Array, y: Array) -> float:
    """Return how long a fit takes to end after a Ctrl-C that comes once it knows most of the samples."""
    sent: list[float] = []
    ended = threading.Event()

    def send() -> None:
        while share_of_right(model, X[::5], y[::5]) < 0.8:
            if ended.wait(0.02):
                return
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            model.fit(X, y)
    finally:
        ended.set()
        sender.join()
    return time.perf_counter() - sent[0]


def share_of_right(model: Any, X: Array, y: Array) -> float:
    """Return the accuracy of an estimator that is being fitted, by the parameters that its network has just now."""
    net = getattr(model, "network_", None)
    if net is None:
        return 0.0
    weights, biases = ([part.copy() for part in parts] for parts in (net.weights, net.biases))
    now = reference.Network.from_parameters(weights, biases, list(net.activations[:-1]), net.activations[-1])
    return float((now.predict(X).argmax(axis=1) == y).mean())
