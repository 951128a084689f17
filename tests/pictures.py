"""What pictures hold, for the tests to read."""

from __future__ import annotations

from typing import Any

import fastmlp
from fastmlp import reference

NETWORKS = [fastmlp.Network, reference.Network]


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def titles(figure: Any) -> list[str]:
    return [ax.get_title() for ax in figure.axes]


def curves(ax: Any) -> dict[str, list[float]]:
    return {str(line.get_label()): list(line.get_ydata()) for line in ax.lines if not line.get_label().startswith("_")}


def draw(drawn: Any) -> bytes:
    """Return the picture as a notebook shows it."""
    png: bytes = drawn._repr_png_()
    assert png.startswith(b"\x89PNG")
    return png
