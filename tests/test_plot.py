"""What every picture keeps to: where it is drawn, on which grounds, and what it says where something is missing."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from pictures import draw

import fastmlp
from fastmlp import plot, reference

matplotlib = pytest.importorskip("matplotlib")
style = pytest.importorskip("matplotlib.style")
from matplotlib.colors import to_rgb  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402


@pytest.fixture(params=["default", "dark_background"], ids=["light", "dark"])
def ground(request: pytest.FixtureRequest) -> Any:
    """Draw on a light and on a dark ground; give its colour."""
    with style.context(request.param):
        yield to_rgb(matplotlib.rcParams["figure.facecolor"])


FUNCTIONS = (
    *(plot.activations, plot.confusion_matrix, plot.convergence, plot.decision_boundary, plot.fits, plot.histograms),
    *(plot.history, plot.losses, plot.network, plot.neurons, plot.predictions, plot.save),
)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_every_function_is_documented_with_its_parameters_and_an_example(function):
    text = inspect.getdoc(function) or ""
    parameters = text.partition("Parameters\n")[2].partition("Returns\n")[0]
    missing = [name for name in inspect.signature(function).parameters if not re.search(rf"\b{name}\b", parameters)]
    assert not missing
    assert ">>>" in text


def samples() -> tuple[Any, Any]:
    return [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1]


def binary() -> fastmlp.Network:
    return fastmlp.Network([2, 3, 1], "tanh", "sigmoid", random_state=0)


ONE_PANEL = {
    "losses": lambda **to: plot.losses({"a": [2.0, 1.0], "b": [3.0, 0.1]}, **to),
    "network": lambda **to: plot.network(binary(), **to),
    "network, numbers": lambda **to: plot.network(binary(), numbers=True, **to),
    "network, layers": lambda **to: plot.network(binary(), detail="layers", **to),
    "neurons": lambda **to: plot.neurons(binary(), [0.5, 1.0], **to),
    "neurons, layers": lambda **to: plot.neurons(binary(), [0.5, 1.0], detail="layers", **to),
    "confusion_matrix": lambda **to: plot.confusion_matrix(binary(), *samples(), **to),
    "decision_boundary": lambda **to: plot.decision_boundary(binary(), *samples(), **to),
}
SEVERAL_PANELS = {
    "convergence": lambda **to: plot.convergence([0.1, 0.9], 1.0, [0.4, 0.1], **to),
    "fits": lambda **to: plot.fits([0.0, 1.0], [1.0, 2.0], {"before": [0.0, 0.5], "after": [1.0, 1.9]}, **to),
    "history": lambda **to: plot.history([reference.results.History([2.0, 1.0], [3.0, 2.0], {"r2": [0, 1]})], **to),
    "histograms": lambda **to: plot.histograms(binary(), *samples(), **to),
    "predictions": lambda **to: plot.predictions([1.0, 2.0], [1.5, 2.0], **to),
}
ALL = {**ONE_PANEL, **SEVERAL_PANELS, "activations": lambda **to: plot.activations("tanh", **to)}


def contrast(color: Any, other: Any) -> float:
    """Return the ratio of two colours' luminances, from 1 to 21, as the guidelines for accessible pages define it."""

    def luminance(color: Any) -> float:
        c = np.asarray(to_rgb(color))
        return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])

    low, high = sorted([luminance(color), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ALL)
def test_text_is_readable_on_light_and_dark_grounds(name, ground):
    drawn = ALL[name]()
    panels = drawn.axes if isinstance(drawn, Figure) else [drawn]
    for ax in panels:
        labels = [*ax.get_xticklabels(), *ax.get_yticklabels()] if ax.axison else []
        plain = [] if name.startswith(("neurons", "confusion_matrix", "network")) else ax.texts
        for text in [ax.title, ax.xaxis.label, ax.yaxis.label, *labels, *plain]:
            assert contrast(text.get_color(), ground) > 4.5, text
        for line in ax.lines:
            assert contrast(line.get_color(), ground) > 2, line


@pytest.mark.parametrize("name", ALL)
def test_notebooks_show_what_is_returned(name):
    assert draw(ALL[name]())


def test_numbers_on_neurons_are_readable_on_their_colours(ground):
    net = fastmlp.Network.from_parameters([np.eye(6)])
    ax = plot.neurons(net, [-3.0, -2.0, -0.1, 0.0, 1.0, 3.0])
    colors = [color for circles in ax.collections[1:] for color in circles.get_facecolors()]
    for text, color in zip(ax.texts, colors, strict=False):
        assert contrast(text.get_color(), color[:3]) > 4.5


@pytest.mark.parametrize("name", ONE_PANEL)
def test_one_panel_is_drawn_in_the_axes_given(name):
    ax = Figure().subplots()
    assert ONE_PANEL[name](ax=ax) is ax
    assert ax.has_data()


@pytest.mark.parametrize("name", SEVERAL_PANELS)
def test_several_panels_share_the_place_of_the_axes_given(name):
    figure = Figure(figsize=(16, 8), layout="constrained")
    place, other = figure.subplots(1, 2)
    place.set_title("Ours")
    part = SEVERAL_PANELS[name](ax=place)
    figure.draw_without_rendering()
    assert len(part.axes) == len(SEVERAL_PANELS[name]().axes)
    for ax in part.axes:
        assert ax.get_tightbbox().x1 <= other.get_tightbbox().x0
        assert ax.get_tightbbox().y1 <= part._suptitle.get_window_extent().y0
    assert part._suptitle.get_text() == "Ours"
    with pytest.raises(ValueError, match="ax is drawn in already: pass an empty one"):
        SEVERAL_PANELS[name](ax=place)


@pytest.mark.parametrize("name", [*SEVERAL_PANELS, "activations"])
def test_several_panels_are_drawn_in_as_many_axes_given(name):
    n = len(ALL[name]().axes)
    part = Figure().subfigures(1, 2)[0]
    panels = part.subplots(n, 1, squeeze=False)
    assert ALL[name](ax=panels) is part
    assert part.axes == list(panels.flat)
    assert all(ax.has_data() for ax in panels.flat)
    with pytest.raises(ValueError, match=rf"ax holds {n + 1} Axes, and {n} are to be drawn in: pass as many"):
        ALL[name](ax=[*panels.flat, panels[0, 0]])


def test_panels_in_a_bare_figure_do_not_overlap():
    ax = Figure().subplots()
    plot.history({"a": [3.0, 0.1]}, curves=["loss"], ax=ax)
    assert ax.has_data()  # a single panel is the one given
    figure = plot.predictions([[1.0, 2.0]], [[1.0, 3.0]], ax=Figure().subplots())
    figure.figure.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in figure.axes]
    assert not any(box.overlaps(other) for i, box in enumerate(boxes) for other in boxes[:i])


def test_panels_need_a_place_in_a_grid():
    with pytest.raises(ValueError, match="ax has no place in a grid for 2 panels"):
        plot.predictions([1.0, 2.0], [1.0, 2.0], ax=Figure().add_axes((0, 0, 1, 1)))


@pytest.mark.parametrize("name", ALL)
def test_what_cannot_be_drawn_in_is_named(name):
    with pytest.raises(TypeError, match="ax must be a matplotlib Axes"):
        ALL[name](ax="here")


def test_what_cannot_be_saved_is_named(tmp_path):
    with pytest.raises(TypeError, match="figure must be a matplotlib Figure or Axes, not 'drawing'"):
        plot.save("drawing", tmp_path / "a.png")


def test_pyplot_is_neither_imported_nor_changed():
    script = """
import sys
from fastmlp import Network, plot
net = Network([2, 3, 1])
plot.network(net), plot.neurons(net, [1.0, 2.0]), plot.histograms(net), plot.losses([1.0, 0.5]), plot.activations()
plot.history([1.0, 0.5]), plot.predictions([1.0, 2.0], [1.0, 2.0])
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_pyplots_figures_and_settings_stay_what_they_are():
    import matplotlib.pyplot as plt

    figures, settings = plt.get_fignums(), dict(matplotlib.rcParams)
    for name in ALL:
        ALL[name]()
    assert plt.get_fignums() == figures
    assert dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize("name", ["network", "history"])
def test_a_picture_or_its_panel_is_saved(name, tmp_path):
    plot.save(ALL[name](), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


@pytest.mark.parametrize("name", ALL)
def test_without_matplotlib_its_command_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"matplotlib is not installed: pip install 'fastmlp\[plot\]'"):
        ALL[name]()


@pytest.mark.parametrize("name", ["confusion_matrix", "decision_boundary"])
def test_without_scikit_learn_its_command_is_named(name, monkeypatch):
    monkeypatch.delitem(sys.modules, "fastmlp.plot.sklearn_face", raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(ImportError, match=r"scikit-learn is not installed: pip install 'fastmlp\[sklearn\]'"):
        ALL[name]()
