"""Moving pictures by matplotlib."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reference import checks
from ..reference.arrays import Array
from .curves import draw_losses
from .scenes import Diagram, Film, Fit, Plane, Weights
from .style import COLORS, TARGET, VERMILION, ink, line, matplotlib, new_panels

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What shows a frame, by its number.
Show = Callable[[int], None]

# What writes a file, of a figure, what shows a frame of it, the frames and those of a second.
Write = Callable[[str, "Figure", Show, range, float], None]

# No screen has more.
MOST_FPS, MOST_DPI = 100, 1000

LAST_MILLISECONDS = 1500

# Colours of classes, and those of numbers from the least to the largest, and from negative to positive.
SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"


def animate(
    film: Film, path: str | os.PathLike[str] | None, show_loss: bool, fps: float, dpi: float
) -> FuncAnimation | None:
    """Write a film to the path, or return it as an animation if there is none."""
    mpl = matplotlib()
    fps = checks.number(fps, "fps", 0, MOST_FPS, open_low=True)
    write = None if path is None else _writer(path)
    dpi = checks.number(dpi, "dpi", 0, MOST_DPI, open_low=True)
    figure, show = _staged(film, show_loss)
    figure.set_dpi(dpi)
    frames = range(len(film.epochs))
    if path is not None and write is not None:
        write(os.fspath(path), figure, show, frames, fps)
        return None
    animation: FuncAnimation = mpl.animation.FuncAnimation(figure, show, frames, lambda: None, interval=1000 / fps)
    return animation


def _writer(path: str | os.PathLike[str]) -> Write:
    """Return what writes a file of this name, or raise before any work is done."""
    ending = os.path.splitext(os.fsdecode(path))[1].lower()
    if ending == ".gif":
        return _write_gif
    if ending != ".mp4":
        raise ValueError(f"an animation is a .gif or an .mp4, not {os.fsdecode(path)!r}; replay() writes pages (.html)")
    if not matplotlib().animation.writers.is_available("ffmpeg"):
        raise RuntimeError("an .mp4 needs the program ffmpeg, which is not installed: install it, or write a .gif")
    return _write_video


def _write_gif(path: str, figure: Figure, show: Show, frames: range, fps: float) -> None:
    from PIL import Image

    images = []
    for i in frames:
        show(i)
        figure.canvas.draw()
        images.append(Image.fromarray(np.array(figure.canvas.buffer_rgba())[..., :3]))  # type: ignore[attr-defined]
    # One palette for all, of some of them, so that what stays equal has equal colours, and is stored once.
    some = [np.asarray(images[i]) for i in sorted({0, len(images) // 3, len(images) - 1})]
    palette = Image.fromarray(np.vstack(some)).quantize(255, Image.Quantize.FASTOCTREE)
    first, *others = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    # The last frame stays a while before the film begins again.
    durations = [round(1000 / fps)] * len(others) + [LAST_MILLISECONDS]
    first.save(path, save_all=True, append_images=others, duration=durations, loop=0)


def _write_video(path: str, figure: Figure, show: Show, frames: range, fps: float) -> None:
    writer = matplotlib().animation.FFMpegWriter(fps=fps)
    with writer.saving(figure, path, dpi=figure.dpi):
        for i in frames:
            show(i)
            writer.grab_frame()


def _staged(film: Film, show_loss: bool) -> tuple[Figure, Show]:
    """Return a figure with all that moves in a film, and what makes it show a frame."""
    n_panels = len(film.scene.matrices) if type(film.scene) is Weights else int(film.scene is not None)
    has_loss = show_loss or not n_panels
    n = n_panels + has_loss
    columns = n if n <= 4 else 3
    rows = -(-n // columns)
    figure, panels = new_panels(rows, columns, (3.2 * columns + 1.4, 0.8 + 3 * rows))
    for axes in panels[n:]:
        axes.set_visible(False)
    shows = [_draw(film, panels[:n_panels])] if film.scene else []
    if has_loss:
        shows.append(_draw_losses(panels[n_panels], film))

    def show(frame: int) -> None:
        words = film.caption(frame)
        words = f"{film.title}\n{words}" if film.title else words
        figure.suptitle(words, x=0.02, ha="left", parse_math=False, family="monospace")
        for update in shows:
            update(frame)

    show(len(film.epochs) - 1)
    for _ in range(2):  # a colour bar moves what the first layout has placed
        figure.draw_without_rendering()
    figure.set_layout_engine("none")  # a layout per frame would take longer than the drawing
    return figure, show


def _draw(film: Film, panels: list[Axes]) -> Show:
    scene = film.scene
    if isinstance(scene, Diagram):
        return _draw_network(panels[0], scene)
    if isinstance(scene, Weights):
        return _draw_weights(panels, scene)
    assert scene is not None
    return _draw_fit(panels[0], scene) if isinstance(scene, Fit) else _draw_plane(panels[0], scene)


def _draw_fit(axes: Axes, scene: Fit) -> Show:
    axes.plot(scene.x, scene.targets, **{**TARGET, "markersize": 8 if len(scene.x) < 30 else 3})
    lines = axes.plot(scene.grid, scene.curves[0])
    for i, curve in enumerate(lines):
        style = line(i + 1, len(lines) + 1) if len(lines) > 1 else {"color": VERMILION, "linewidth": 2.5}
        curve.set(**style, label="prediction")
    targets, curve = axes.lines[0], lines[0]
    axes.set(title="fit", xlabel="x", ylabel="y", xlim=(scene.grid[0], scene.grid[-1]), ylim=(scene.low, scene.high))
    axes.legend(handles=[targets, curve])

    def show(frame: int) -> None:
        for curve, values in zip(lines, scene.curves[frame].T, strict=True):
            curve.set_ydata(values)

    return show


def _draw_plane(axes: Axes, scene: Plane) -> Show:
    axes.grid(False)
    axes.spines[["top", "right"]].set_visible(True)
    image = axes.imshow(
        _colors(scene, 0), extent=scene.box, origin="lower", aspect="auto", interpolation="bicubic", zorder=0
    )
    is_surface = scene.classes is None
    points: dict[str, Any] = {"s": 14, "edgecolors": "white", "linewidths": 0.6}
    if is_surface:
        numbers = scene.low + (scene.high - scene.low) * scene.targets
        points.update(c=numbers, cmap=SEQUENTIAL, vmin=scene.low, vmax=scene.high)
    else:
        points.update(c=[_class_color(i) for i in scene.targets])
    dots = axes.scatter(scene.x[:, 0], scene.x[:, 1], **points)
    if is_surface:
        axes.figure.colorbar(dots, ax=axes, fraction=0.05)
    left, right, bottom, top = scene.box
    title = "surface" if is_surface else "classes"
    axes.set(title=title, xlabel="x1", ylabel="x2", xlim=(left, right), ylim=(bottom, top))

    def show(frame: int) -> None:
        image.set_data(_colors(scene, frame))

    return show


def _class_color(i: int) -> str:
    return COLORS[int(i) % len(COLORS)]


def _colors(scene: Plane, frame: int) -> Array:
    """Return the image of a frame, of shape (m, m, 3): white where two classes are equally far."""
    mpl = matplotlib()
    values = scene.values[frame] / 255
    if scene.classes is None:
        rgb: Array = mpl.colormaps[SEQUENTIAL](values)[..., :3]
        return rgb
    palette = np.array([mpl.colors.to_rgb(_class_color(i)) for i in range(int(scene.classes.max()) + 1)])
    strength = 0.6 * values[..., None]
    image: Array = (1 - strength) + strength * palette[scene.classes[frame]]
    return image


def _draw_weights(panels: list[Axes], scene: Weights) -> Show:
    limits: dict[str, Any] = {"vmin": -scene.largest, "vmax": scene.largest}
    images = []
    for axes, name, matrices in zip(panels, scene.names, scene.matrices, strict=True):
        axes.grid(False)
        images.append(axes.imshow(matrices[0], DIVERGING, aspect="auto", interpolation="nearest", **limits))
        axes.set_title(name)
        axes.set(xticks=[], yticks=[])
        if scene.has_bias:
            axes.axhline(len(matrices[0]) - 1.5, color=ink(), linewidth=1)
    panels[0].figure.colorbar(images[-1], ax=panels, fraction=0.03)

    def show(frame: int) -> None:
        for image, matrices in zip(images, scene.matrices, strict=True):
            image.set_data(matrices[frame])

    return show


def _draw_network(axes: Axes, scene: Diagram) -> Show:
    mpl = matplotlib()
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    shade: dict[str, Any] = {"cmap": DIVERGING, "clim": (-scene.largest, scene.largest)}
    ends, lines, circles = [], [], []
    for before, after in pairwise(scene.neurons):
        ends.append(np.array([(start, end) for start in before for end in after]))
        lines.append(mpl.collections.LineCollection(ends[-1], zorder=1, **shade))
        axes.add_collection(lines[-1])
    for l, neurons in enumerate(scene.neurons):
        circles.append(axes.scatter(neurons[:, 0], neurons[:, 1], 110, "white", edgecolors="gray", zorder=2))
        if l and scene.has_bias:
            circles[-1].set(**shade)
    axes.figure.colorbar(lines[0], ax=axes, fraction=0.04)

    def show(frame: int) -> None:
        for l, matrices in enumerate(scene.matrices):
            matrix = matrices[frame]
            w = (matrix[:-1] if scene.has_bias else matrix).ravel()
            order = np.abs(w).argsort()  # the wide ones last, on top
            lines[l].set(segments=ends[l][order], array=w[order])
            lines[l].set_linewidths(0.5 + 4 * np.abs(w[order]) / scene.largest)
            if scene.has_bias:
                circles[l + 1].set_array(matrix[-1])

    return show


def _draw_losses(axes: Axes, film: Film) -> Show:
    draw_losses(axes, film.history)
    curves = [curve for curve in (film.history.loss, film.history.validation_loss) if curve]
    moment = axes.axvline(0, color=ink(), linewidth=1, alpha=0.5)
    (dots,) = axes.plot([], [], "o", color=ink(), markersize=5, clip_on=False)
    axes.set_xlim(0, max(1, len(film.history.loss)))

    def show(frame: int) -> None:
        epoch = film.epochs[frame]
        moment.set_xdata([epoch, epoch])
        values = [curve[epoch - 1] for curve in curves if epoch]
        dots.set_data([epoch] * len(values), values)

    return show
