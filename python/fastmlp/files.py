"""Model files of the compiled network; :mod:`fastmlp.reference.files` says what is in them."""

from __future__ import annotations

import os

from .network import Network
from .reference import files


def load(path: str | os.PathLike[str]) -> Network:
    """Return the network that :meth:`Network.save` wrote to a file. No code of the file is run.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If the file is damaged, or no model file.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import fastmlp, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "net.safetensors")
    >>> fastmlp.Network([2, 3, 1], random_state=0).save(path)
    >>> fastmlp.load(path)
    Network([2, 3, 1], activation='tanh', output_activation='linear', dtype='float32')
    """
    return files.load(path, Network)[0]
