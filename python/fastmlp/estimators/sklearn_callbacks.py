"""scikit-learn's own callbacks, which it has since 1.9: each epoch of a fit is a task of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..reference.monitor import ALL_DONE, State

__all__ = ["CallbackSupportMixin", "epochs_as_tasks"]

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ModuleNotFoundError:

    class CallbackSupportMixin:  # type: ignore[no-redef]  # one of the two is there
        """Nothing, where scikit-learn has no callbacks."""


@contextmanager
def epochs_as_tasks(est: Any, X: Any, y: Any, weight: Any) -> Iterator[list[Any]]:
    """Give the callbacks for ``Network.train`` that tell those of ``est.set_callbacks``: one, or none.

    They are told that the fit is over where the context is left, and torn down whatever ends it.
    """
    if not hasattr(est, "_skl_callbacks"):
        yield []
        return
    try:
        tasks = EpochTasks(est, X, y, weight)
        yield [tasks]
        tasks.end()
    finally:
        with_callbacks(lambda _: None)(est)  # which tears them down


class EpochTasks:
    """Tells scikit-learn's callbacks about each epoch, and ends the run where one of them asks for it."""

    comes_last = True  # so that it knows whether there is another epoch

    def __init__(self, est: Any, X: Any, y: Any, weight: Any) -> None:
        self._est = est
        self._data = {"X": X, "y": y, "metadata": None if weight is None else {"sample_weight": weight}}
        self._fit = est._init_callback_context(max_subtasks=est.max_iter)
        self._fit.call_on_fit_task_begin(estimator=est, **self._data)
        self._epoch: Any = None

    def on_train_begin(self, state: State) -> None:
        """Begin the first epoch's task."""
        self._begin(state)

    def on_epoch_end(self, state: State) -> str | None:
        """End the epoch's task, and begin the next one's if there is one."""
        stops, self._epoch = self._epoch.call_on_fit_task_end(**self._task(state)), None
        if stops:
            return f"a callback of scikit-learn asked to stop after epoch {state.epoch}"
        if state.epoch < state.epochs and state.history.stop_reason == ALL_DONE:
            self._begin(state)
        return None

    def end(self) -> None:
        """End the task of the fit."""
        if self._epoch:  # an epoch that was begun, and then did not happen
            self._epoch.call_on_fit_task_end(estimator=self._est)
        self._fit.call_on_fit_task_end(estimator=self._est, **self._data, reconstruction_attributes=self._fitted)

    def _begin(self, state: State) -> None:
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._task(state))

    def _task(self, state: State) -> dict[str, Any]:
        fitted = {"reconstruction_attributes": lambda: self._fitted(state)}
        return {"estimator": self._est, **self._data, **fitted}

    def _fitted(self, state: State | None = None) -> dict[str, Any]:
        """Return what makes a copy of the estimator predict as the network now does.

        It has no names of features, as X is an array by now.
        """
        epochs = {"n_iter_": state.epoch, "loss_curve_": list(state.history.loss)} if state else {}
        return {"network_": self._est.network_.copy(), "feature_names_in_": None, **epochs}
