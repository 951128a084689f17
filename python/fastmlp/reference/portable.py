"""How a network leaves the process: as a model file, as an ONNX model, as C code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from . import files, onnx_network

if TYPE_CHECKING:
    from onnx import ModelProto

    from .c_export import CReport


class Portable:
    """What gives networks their ``save``, ``to_onnx`` and ``to_c``."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a safetensors file, which is complete or is what it was before.

        Parameters
        ----------
        path : str or path-like
            Where. A file that is there is replaced.

        Raises
        ------
        ValueError
            If a parameter is NaN or infinite, or ``path`` is something else than a file.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import fastmlp, os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
        >>> fastmlp.Network([2, 3, 1]).save(path)
        >>> fastmlp.load(path).layer_sizes
        (2, 3, 1)
        """
        network: Any = self
        files.save(network, path)

    def to_onnx(self, path: str | os.PathLike[str] | None = None) -> ModelProto:
        """Return the network as an ONNX model, and write it to a file if there is a path for it.

        The model has one input, X of shape (n_rows, n_in), and one output, Y_hat of shape (n_rows, n_out), both in the
        network's dtype. It needs onnx: ``pip install 'fastmlp[onnx]'``.

        Parameters
        ----------
        path : str or path-like, optional
            Where. A file that is there is replaced as a whole, or stays what it was.

        Returns
        -------
        onnx.ModelProto

        Raises
        ------
        ImportError
            If onnx is not installed.
        ValueError
            If a parameter is NaN or infinite, or the parameters take more than 2 GiB.
        OSError
            If the file cannot be written.

        See Also
        --------
        fastmlp.to_onnx : exports estimators, pipelines and model files too.

        Examples
        --------
        >>> import fastmlp
        >>> model = fastmlp.Network([2, 3, 1]).to_onnx()
        >>> [node.op_type for node in model.graph.node]
        ['MatMul', 'Add', 'Tanh', 'MatMul', 'Add']
        """
        network: Any = self
        return onnx_network.written(onnx_network.network_model(network), path)

    def to_c(
        self,
        path: str | os.PathLike[str],
        name: str = "model",
        kind: str = "float32",
        calibration: npt.ArrayLike | None = None,
        input_scaling: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        output_scaling: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        input_names: Sequence[str] | None = None,
        labels: npt.ArrayLike | None = None,
        input_fill: npt.ArrayLike | None = None,
    ) -> CReport:
        """Write the network as a C header that predicts; see :func:`fastmlp.to_c` for its parameters.

        Parameters
        ----------
        path, name, kind, calibration, input_scaling, output_scaling, input_names, labels, input_fill
            As of :func:`fastmlp.to_c`.

        Returns
        -------
        CReport
            What the C code gives beside the network, measured, and the memory that it takes.

        Raises
        ------
        ValueError, TypeError, OSError
            As :func:`fastmlp.to_c`.

        Examples
        --------
        >>> import fastmlp, os, tempfile
        >>> net = fastmlp.Network([2, 16, 1], random_state=0)
        >>> report = net.to_c(os.path.join(tempfile.mkdtemp(), "model.h"))
        >>> report.max_error < 1e-6, report.stack_bytes
        (True, 68)
        """
        from .c_export import export  # most programs do without

        network: Any = self
        return export(
            network, path, name, kind, calibration, input_scaling, output_scaling, input_names, labels, input_fill
        )
