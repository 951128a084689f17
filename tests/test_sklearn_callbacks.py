"""scikit-learn's own callbacks, where it has them: each epoch of a fit is a task of theirs."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.reference.arrays import Array

callback = pytest.importorskip("sklearn.callback")

Data = tuple[Array, Array]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Recorder:
    """Writes down what it is told, and asks to stop at the end of an epoch, or raises at some event."""

    def __init__(self, last: int | None = None, fails_at: str | None = None) -> None:
        self.last, self.fails_at = last, fails_at
        self.events: list[str] = []
        self.told: list[dict[str, Any]] = []

    def note(self, event: str, context: Any = None, **told: Any) -> None:
        self.events.append(f"{event} {context.task_name} {context.task_id}" if context else event)
        self.told.append(told)
        if event == self.fails_at:
            raise RuntimeError(f"failed at {event}")

    def setup(self, estimator: Any, context: Any) -> None:
        self.note("setup")

    def on_fit_task_begin(
        self, estimator: Any, context: Any, *, X: Any = None, y: Any = None, fitted_estimator: Any = None
    ) -> None:
        self.note("begin", context, X=X, y=y, fitted=fitted_estimator)

    def on_fit_task_end(
        self,
        estimator: Any,
        context: Any,
        *,
        X: Any = None,
        y: Any = None,
        metadata: Any = None,
        fitted_estimator: Any = None,
    ) -> bool:
        self.note("end", context, X=X, y=y, metadata=metadata, fitted=fitted_estimator)
        return context.task_name == "epoch" and context.task_id + 1 == self.last

    def teardown(self, estimator: Any, context: Any) -> None:
        self.note("teardown")


def epochs(n: int) -> list[str]:
    return [f"{event} epoch {i}" for i in range(n) for event in ("begin", "end")]


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "rprop"])
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_each_epoch_is_a_task(cls: type, solver: str, iris: Data) -> None:
    recorder = Recorder()
    model = cls(solver=solver, max_iter=3, random_state=0).set_callbacks(recorder).fit(*iris)
    assert recorder.events == ["setup", "begin fit 0", *epochs(3), "end fit 0", "teardown"]
    plain = cls(solver=solver, max_iter=3, random_state=0).fit(*iris)
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)


def test_what_a_task_tells(iris: Data) -> None:
    recorder, weight = Recorder(), np.linspace(1, 2, 150)
    model = MLPClassifier(max_iter=3, random_state=0).set_callbacks(recorder).fit(*iris, weight)
    ends = [told for event, told in zip(recorder.events, recorder.told, strict=True) if event.startswith("end epoch")]
    for told in ends:
        assert np.array_equal(told["X"], iris[0])
        assert np.array_equal(told["y"], iris[1])
        assert np.array_equal(told["metadata"]["sample_weight"], weight)
    losses = [log_loss(iris[1], told["fitted"].predict_proba(iris[0])) for told in ends]
    assert losses[0] > losses[1] > losses[2] == pytest.approx(log_loss(iris[1], model.predict_proba(iris[0])))
    assert [told["fitted"].n_iter_ for told in ends] == [1, 2, 3]


def test_a_true_answer_ends_the_fit(iris: Data) -> None:
    recorder = Recorder(last=2)
    model = MLPClassifier(max_iter=9, random_state=0).set_callbacks(recorder).fit(*iris)
    assert recorder.events == ["setup", "begin fit 0", *epochs(2), "end fit 0", "teardown"]
    assert model.n_iter_ == 2
    assert model.history_.stop_reason == "a callback of scikit-learn asked to stop after epoch 2"


def test_an_epoch_that_does_not_come_is_ended_too(iris: Data) -> None:
    recorder = Recorder()
    model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", tol=1e-2, random_state=0).set_callbacks(recorder)
    n = model.fit(*iris).n_iter_
    assert n < 200
    assert recorder.events[2:-2] in (epochs(n), epochs(n + 1))
    assert model.history_.stop_reason == "the gradient is small"


def test_fastmlps_own_reasons_to_stop(iris: Data) -> None:
    class Stopping:
        def on_epoch_end(self, state: Any) -> bool:
            return bool(state.epoch == 2)

    recorder = Recorder()
    MLPClassifier(callbacks=[Stopping()], random_state=0).set_callbacks(recorder).fit(*iris)
    assert recorder.events == ["setup", "begin fit 0", *epochs(2), "end fit 0", "teardown"]
    impatient = Recorder()
    n = MLPClassifier(tol=10, n_iter_no_change=3, random_state=0).set_callbacks(impatient).fit(*iris).n_iter_
    assert n == 5
    assert impatient.events == ["setup", "begin fit 0", *epochs(5), "end fit 0", "teardown"]


def test_the_end_of_a_fit_has_the_best_weights(cancer: Data) -> None:
    recorder = Recorder()
    model = MLPClassifier(early_stopping=True, learning_rate_init=0.1, random_state=0).set_callbacks(recorder)
    model.fit(*cancer)
    fitted = recorder.told[-2]["fitted"]
    assert np.array_equal(fitted.network_.parameters, model.network_.parameters)
    assert len(recorder.told[-2]["X"]) == 512  # without what is held out
    assert fitted.network_ is not model.network_


@pytest.mark.parametrize("event", ["setup", "begin", "end"])
def test_whatever_fails_they_are_torn_down(event: str, iris: Data) -> None:
    recorder = Recorder(fails_at=event)
    model = MLPClassifier(max_iter=2).fit(*iris)
    before = dict(vars(model))
    with pytest.raises(RuntimeError, match=f"failed at {event}"):
        model.set_callbacks(recorder).fit(*iris)
    assert recorder.events[-1] == "teardown"
    assert vars(model) == {**before, "_skl_callbacks": [recorder]}


def test_a_ctrl_c_ends_the_tasks(iris: Data) -> None:
    class Interrupting:
        def on_epoch_end(self, state: Any) -> None:
            if state.epoch == 2:
                raise KeyboardInterrupt

    recorder = Recorder()
    model = MLPClassifier(callbacks=[Interrupting()]).set_callbacks(recorder)
    with pytest.warns(UserWarning, match="Training interrupted"):
        model.fit(*iris)
    assert recorder.events == ["setup", "begin fit 0", *epochs(2), "end fit 0", "teardown"]


def test_without_any_there_is_nothing_of_it(iris: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MLPClassifier, "_init_callback_context", None)
    model = MLPClassifier(max_iter=1).fit(*iris)
    assert not [name for name in vars(model) if "callback" in name and name != "callbacks"]
    model.set_callbacks(Recorder()).set_callbacks().fit(*iris)
    model.set_callbacks(Recorder()).partial_fit(*iris)  # a part of a fit is none


def test_clones_and_pickles_keep_them(iris: Data) -> None:
    recorder = Recorder()
    model = MLPClassifier(max_iter=2, random_state=0).set_callbacks(recorder).fit(*iris)
    clone(model).fit(*iris)
    assert recorder.events.count("teardown") == 2
    loaded = pickle.loads(pickle.dumps(model))
    assert np.array_equal(loaded.fit(*iris).network_.parameters, model.network_.parameters)
    with pytest.raises(TypeError, match="must be instances following the FitCallback protocol"):
        model.set_callbacks(3)


@pytest.mark.parametrize("table", [False, True])
def test_scores_of_every_epoch(table: bool, iris: Data) -> None:
    X = pytest.importorskip("pandas").DataFrame(iris[0], columns=list("abcd")) if table else iris[0]
    monitor = callback.ScoringMonitor(scoring="neg_log_loss")
    model = MLPClassifier(max_iter=4, random_state=0).set_callbacks(monitor).fit(X, iris[1])
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    scores = [row["neg_log_loss"] for row in rows]
    assert scores == sorted(scores)
    assert len(scores) == 4
    assert scores[-1] == pytest.approx(-log_loss(iris[1], model.predict_proba(X)))


def test_progress_bars(iris: Data, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(max_iter=5, random_state=0))
    pipeline.set_callbacks(callback.ProgressBar()).fit(*iris)
    shown = capsys.readouterr().out
    assert "MLPClassifier - fit" in shown
    assert "100%" in shown


def test_a_search_passes_its_own_on(iris: Data) -> None:
    class Propagated(Recorder):
        max_propagation_depth = None

    recorder = Propagated()
    search = GridSearchCV(MLPClassifier(max_iter=3, random_state=0), {"alpha": [0.1, 1]}, cv=2).set_callbacks(recorder)
    search.fit(*iris)
    assert sum(event.startswith("end epoch") for event in recorder.events) == 3 * (2 * 2 + 1)
    assert recorder.events.count("setup") == recorder.events.count("teardown") == 1
