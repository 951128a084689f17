"""How pictures get from the gallery's scripts into its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.animation import Animation
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Return reST for pyplot's figures, and for the picture that the block's last value is.

    What ``fastmlp.plot`` draws without an ``ax`` is not among pyplot's.
    """
    value = block_vars["example_globals"].get("___")
    figure = value.figure.figure if isinstance(value, Axes) else value
    is_shown = getattr(figure, "number", None) in plt.get_fignums()
    rst = matplotlib_scraper(block, block_vars, gallery_conf)
    if is_shown or not isinstance(figure, (Figure, Animation)):
        return rst
    path = Path(next(block_vars["image_path_iterator"]))
    if isinstance(figure, Animation):
        path = path.with_suffix(".gif")
        figure.save(path)
    else:
        figure.savefig(path)
    return rst + figure_rst([str(path)], gallery_conf["src_dir"])
