"""Estimators as C."""

from __future__ import annotations

import os
from typing import Any

import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from ..c_export import to_c
from ..reference.c_export import CReport


class CExport:
    """What an estimator needs to be written as C."""

    def to_c(
        self,
        path: str | os.PathLike[str],
        name: str = "model",
        kind: str = "float32",
        calibration: npt.ArrayLike | None = None,
    ) -> CReport:
        """Write the network as a C header that predicts, with the labels of classes in their order.

        Parameters
        ----------
        path, name, kind, calibration
            As of :func:`fastmlp.to_c`, which takes pipelines with a scaler, too.

        Returns
        -------
        CReport
            What the C code gives beside the network, measured, and the memory that it takes.

        Raises
        ------
        NotFittedError, ValueError, TypeError, OSError
            If there is no network yet, or as :func:`fastmlp.to_c`.

        Examples
        --------
        >>> import fastmlp, os, tempfile
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> model = fastmlp.MLPClassifier(max_iter=1000, random_state=0).fit(X, y)
        >>> path = os.path.join(tempfile.mkdtemp(), "iris.h")
        >>> model.to_c(path, name="iris", kind="int16", calibration=X).agreement
        1.0
        """
        return to_c(self, path, name, kind, calibration)

    def _c_arguments(self) -> dict[str, Any]:
        """Return the arguments of ``fastmlp.to_c`` that belong to the estimator."""
        check_is_fitted(self)
        return {"input_names": getattr(self, "feature_names_in_", None)}
