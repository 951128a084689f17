"""Callbacks for tools that compare runs: Optuna and MLflow."""

from __future__ import annotations

from typing import Any

from .errors import missing_extra
from .reference import checks
from .reference.monitor import State


class OptunaPruning:
    """Report each epoch to a trial of Optuna, and end the run where the study's pruner says so.

    Parameters
    ----------
    trial : optuna.trial.Trial
        The trial, as the objective has it.
    monitor : str, default "validation_loss"
        The curve that is reported: a name of
        :meth:`~fastmlp.reference.results.History.curves`. The study's direction has to fit it.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    ValueError
        From ``train``, if no such curve is recorded.
    optuna.TrialPruned
        From ``train``, where the trial is not worth going on with. The network is as the last epoch left it.

    Examples
    --------
    >>> import fastmlp, numpy as np, optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> X = np.linspace(-1, 1, 60).reshape(-1, 1)
    >>> def objective(trial):
    ...     rate = trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
    ...     net = fastmlp.Network([1, 8, 1], random_state=0)
    ...     pruning = fastmlp.OptunaPruning(trial, "loss")
    ...     return net.train(X, X**2, epochs=30, optimizer=fastmlp.Adam(rate), callbacks=[pruning]).loss[-1]
    >>> study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    >>> study.optimize(objective, n_trials=3)
    >>> len(study.trials)
    3
    """

    def __init__(self, trial: Any, monitor: str = "validation_loss") -> None:
        try:
            import optuna
        except ModuleNotFoundError:
            raise missing_extra("Optuna", "optuna") from None
        self._pruned = optuna.TrialPruned
        self.trial, self.monitor = trial, monitor

    def on_train_begin(self, state: State) -> None:
        """Look whether there is such a curve."""
        checks.find(self.monitor, dict.fromkeys(state.task.curves()), "monitor")

    def on_epoch_end(self, state: State) -> None:
        """Report the newest value, and ask."""
        value = state.history.curves()[self.monitor][-1]
        self.trial.report(value, state.epoch)
        if self.trial.should_prune():
            raise self._pruned(f"pruned after epoch {state.epoch}: {self.monitor} is {value:.6g}")


class MLflowLog:
    """Log a run to MLflow's active run: what is trained and how, every curve, and why it ended.

    Parameters
    ----------
    every : int, default 1
        Epochs from one set of metrics to the next; the last epoch is always there.

    Raises
    ------
    ImportError
        If MLflow is not installed.
    ValueError, TypeError
        If ``every`` is wrong; from ``train``, if no run of MLflow is active.

    Examples
    --------
    >>> import fastmlp, mlflow, tempfile
    >>> mlflow.set_tracking_uri(f"sqlite:///{tempfile.mkdtemp()}/mlflow.db")
    >>> with mlflow.start_run() as run:
    ...     history = fastmlp.Network([1, 1]).train([[1.0]], [0.0], epochs=3, callbacks=[fastmlp.MLflowLog()])
    >>> mlflow.get_run(run.info.run_id).data.tags["stop_reason"]
    'all epochs done'
    """

    def __init__(self, every: int = 1) -> None:
        try:
            import mlflow
        except ModuleNotFoundError:
            raise missing_extra("MLflow", "mlflow") from None
        self.every = checks.integer(every, "every", 1)
        self._mlflow: Any = mlflow
        self._logged = 0

    def on_train_begin(self, state: State) -> None:
        """Log what is trained, and how."""
        if self._mlflow.active_run() is None:
            raise ValueError("MLflow has no active run: train inside `with mlflow.start_run():`")
        net, task = state.network, state.task
        self._logged = state.epoch
        self._mlflow.log_params(
            {
                "layer_sizes": list(net.layer_sizes),
                "activations": list(net.activations),
                "dtype": net.dtype.name,
                "loss": task.loss_spec if isinstance(task.loss_spec, str) else repr(task.loss_spec),
                "optimizer": repr(task.optimizer),
                "batch_size": task.batch_size,
            }
        )

    def on_epoch_end(self, state: State) -> None:
        """Log the newest value of every curve."""
        if state.epoch % self.every == 0:
            self._log(state)

    def on_train_end(self, state: State) -> None:
        """Log the last epoch, and why the run ended."""
        if state.epoch > self._logged:
            self._log(state)
        self._mlflow.set_tag("stop_reason", state.history.stop_reason)

    def _log(self, state: State) -> None:
        values = {name: curve[-1] for name, curve in state.history.curves().items()}
        self._mlflow.log_metrics(values, step=state.epoch)
        self._logged = state.epoch
