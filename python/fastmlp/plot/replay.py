"""Pages that replay a run in the browser: one file each, without anything from elsewhere."""

from __future__ import annotations

import base64
import html
import json
import math
import os
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from ..reference.arrays import Array
from ..reference.atomic import write_atomically
from ..reference.results import History
from . import layout
from .course import spans, thinned
from .diagram import NARROWEST, widest
from .scenes import Diagram, Film, Fit, Plane, Weights
from .style import COLORS

# Six colours from the least number to the largest: matplotlib's viridis.
SEQUENTIAL = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")

LABELS = {
    "fit": "Fit of the samples",
    "plane": "Outputs over the two inputs",
    "weights": "Weights of each layer",
    "diagram": "The network, its weights as lines",
}


class Replay:
    """A page that replays a run, as :meth:`fastmlp.plot.Recorder.replay` makes it. Notebooks show it.

    ``page.html#epoch=30`` opens it at that epoch.

    Attributes
    ----------
    html : str
        The whole page.
    """

    def __init__(self, film: Film) -> None:
        template = files(__package__).joinpath("replay.html").read_text(encoding="utf-8")
        title = film.title or "A training run"
        head, rest = template.split("@TITLE@")
        middle, tail = rest.split("@FILM@")
        self.html = head + html.escape(title) + middle + _as_json(describe(film, title)) + tail

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file.

        Parameters
        ----------
        path : str or path-like
            Where to; the folder must exist.
        """
        write_atomically(os.fspath(path), [self.html.encode()])

    def _repr_html_(self) -> str:
        """Return what notebooks show: the page in a frame of its own."""
        return (
            '<iframe title="A training run" width="100%" height="620" style="border: 0" '
            f'srcdoc="{html.escape(self.html)}"></iframe>'
        )


def describe(film: Film, title: str) -> dict[str, Any]:
    """Return all that the page's script has to know."""
    history = film.history
    kind = type(film.scene).__name__.lower() if film.scene else None
    return {
        "title": title,
        "network": film.network,
        "label": LABELS.get(kind or "", ""),
        "colors": COLORS,
        "sequential": SEQUENTIAL,
        "epochs": film.epochs,
        "loss": _at(history.loss, film.epochs),
        "validation": _at(history.validation_loss, film.epochs),
        "learning_rate": _at(history.learning_rate, film.epochs),
        "losses": _losses(history),
        "kind": kind,
        "scene": None if film.scene is None else _scene(film.scene),
    }


def _losses(history: History) -> dict[str, Any]:
    """Return the curves that there are, thinned where they are long, and the axis that they need."""
    curves = []
    for name, curve in (("loss", history.loss), ("validation", history.validation_loss)):
        if curve:
            epochs, numbers = thinned(np.asarray(curve, np.float64))
            curves.append({"name": name, "epochs": epochs.tolist(), "values": _plain(numbers)})
    values = np.array([*history.loss, *history.validation_loss], np.float64)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    is_log = spans(values)
    margin = 0.05 * (high - low) or 0.5
    return {
        "log": is_log,
        "low": low / 1.2 if is_log else low - margin,
        "high": high * 1.2 if is_log else high + margin,
        "n_epochs": max(1, len(history.loss)),
        "curves": curves,
    }


def _scene(scene: Fit | Plane | Weights) -> dict[str, Any]:
    if isinstance(scene, Fit):
        room = scene.high - scene.low  # a curve may leave the picture, and be seen to do so
        return {
            "x": _plain(scene.x),
            "targets": [_plain(column) for column in scene.targets.T],
            "grid": _plain(scene.grid),
            "low": scene.low,
            "high": scene.high,
            "n_outputs": scene.curves.shape[2],
            "curves": _packed(np.swapaxes(scene.curves, 1, 2), scene.low - room, scene.high + room, 16),
        }
    if isinstance(scene, Plane):
        return {
            "x": [_plain(x) for x in scene.x],
            "targets": _plain(scene.targets),
            "box": scene.box,
            "low": scene.low,
            "high": scene.high,
            "side": scene.values.shape[1],
            "n_classes": scene.n_classes,
            "classes": None if scene.classes is None else _packed(scene.classes, 0, 255),
            "values": _packed(scene.values / 255, 0, 1),
        }
    return {
        "names": scene.names,
        "shapes": [matrices.shape[1:] for matrices in scene.matrices],
        "matrices": [_packed(matrices, -scene.largest, scene.largest) for matrices in scene.matrices],
        "largest": scene.largest,
        "has_bias": scene.has_bias,
        **(_neurons(scene) if isinstance(scene, Diagram) else {}),
    }


def _neurons(scene: Diagram) -> dict[str, Any]:
    widths = [(NARROWEST, widest(W.size)) for W in scene.net.weights]
    return {"neurons": layout.in_unit_square(scene.net), "widths": widths}


def _packed(values: Array, low: float, high: float, bits: int = 8) -> dict[str, Any]:
    """Return numbers as bytes: whole numbers of so many bits, from the least to the largest."""
    share = np.clip((np.nan_to_num(values, posinf=high, neginf=low) - low) / (high - low), 0, 1)
    whole = (share * (2**bits - 1)).round().astype(f"<u{bits // 8}")
    return {"bits": bits, "low": low, "high": high, "data": base64.b64encode(whole.tobytes()).decode()}


def _at(curve: Sequence[float], epochs: list[int]) -> list[float | None]:
    """Return a curve's values after these numbers of epochs, None where there is none."""
    return _plain([curve[epoch - 1] if 0 < epoch <= len(curve) else math.nan for epoch in epochs])


def _plain(values: Any) -> list[float | None]:
    """Return numbers for JSON, short, and None for those that it has no word for."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in np.asarray(values).tolist()]


def _as_json(value: dict[str, Any]) -> str:
    """Return JSON that ends no script, whatever the words in it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
