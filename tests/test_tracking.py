"""Callbacks for Optuna and MLflow, with the real packages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.reference.arrays import Array

optuna = pytest.importorskip("optuna")
pytestmark = pytest.mark.filterwarnings("ignore")  # of what these packages import

Data = tuple[Array, Array]


@pytest.fixture
def data(rng: np.random.Generator) -> Data:
    X = rng.uniform(-1, 1, (60, 2))
    return X, np.sin(2 * X.sum(axis=1, keepdims=True))


@pytest.fixture
def mlflow(tmp_path: Path) -> Iterator[Any]:
    module = pytest.importorskip("mlflow")
    module.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield module
    while module.active_run():
        module.end_run()


def train(data: Data, callback: Any, rate: float = 0.01, epochs: int = 20, **arguments: Any) -> Any:
    net = fastmlp.Network([2, 8, 1], random_state=0)
    return net.train(*data, epochs=epochs, optimizer=fastmlp.Adam(rate), callbacks=[callback], **arguments)


def test_optuna_hears_of_every_epoch(data: Data) -> None:
    study = optuna.create_study(pruner=optuna.pruners.NopPruner())
    trial = study.ask()
    history = train(data, fastmlp.OptunaPruning(trial), validation_data=0.2, random_state=0)
    assert study.trials[0].intermediate_values == dict(enumerate(history.validation_loss, start=1))


def test_optuna_prunes_hopeless_trials(data: Data) -> None:
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=3))

    def objective(trial: Any) -> float:
        rate = 0.02 if trial.number == 0 else 1e-6
        return float(train(data, fastmlp.OptunaPruning(trial, "loss"), rate).loss[-1])

    study.optimize(objective, n_trials=3)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "PRUNED"]
    assert len(study.trials[1].intermediate_values) == 3


def test_optuna_is_told_of_a_curve_that_there_is_not(data: Data) -> None:
    trial = optuna.create_study().ask()
    with pytest.raises(ValueError, match=r"unknown monitor 'validation_loss'.*known are loss"):
        train(data, fastmlp.OptunaPruning(trial))


def test_an_estimator_is_pruned_too(data: Data) -> None:
    X, Y = data
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=1e-9))
    trial = study.ask()
    model = fastmlp.MLPRegressor(hidden_layer_sizes=(4,), callbacks=[fastmlp.OptunaPruning(trial, "loss")])
    with pytest.raises(optuna.TrialPruned, match="pruned after epoch 1"):
        model.fit(X, Y.ravel())


@pytest.mark.parametrize(("every", "steps"), [(1, list(range(1, 11))), (4, [4, 8, 10])])
def test_mlflow_has_every_curve(mlflow: Any, data: Data, every: int, steps: list[int]) -> None:
    with mlflow.start_run() as run:
        history = train(data, fastmlp.MLflowLog(every), epochs=10, validation_data=0.2, random_state=0)
    for name, curve in history.curves().items():
        logged = mlflow.MlflowClient().get_metric_history(run.info.run_id, name)
        assert [m.step for m in logged] == steps
        assert [m.value for m in logged] == [curve[step - 1] for step in steps]
    found = mlflow.get_run(run.info.run_id).data
    assert found.params["layer_sizes"] == "[2, 8, 1]"
    assert found.params["optimizer"].startswith("Adam(learning_rate=0.01")
    assert found.params["batch_size"] == "48"
    assert found.tags["stop_reason"] == "all epochs done"


def test_mlflow_needs_an_active_run(mlflow: Any, data: Data) -> None:
    with pytest.raises(ValueError, match="no active run: train inside"):
        train(data, fastmlp.MLflowLog())


@pytest.mark.parametrize(
    ("module", "make"), [("optuna", lambda: fastmlp.OptunaPruning(None)), ("mlflow", fastmlp.MLflowLog)]
)
def test_a_missing_package_is_named_with_its_command(module: str, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install 'fastmlp\[{module}\]'"):
        make()
