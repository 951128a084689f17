"""Moving pictures by matplotlib."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..reference import checks
from ..reference.arrays import Array
from . import layout
from .course import losses
from .diagram import show_weights
from .scenes import Diagram, Film, Fit, Plane, Weights
from .style import TARGET, VERMILION, colors_of, diverging, ground, ink, matplotlib, panels

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

# Colours of numbers from the least to the largest.
SEQUENTIAL = "viridis"


def animate(
    film: Film, path: str | os.PathLike[str] | None, show_loss: bool, fps: float, dpi: float
) -> FuncAnimation | None:
    """Write a film to the path, or return it as an animation if there is none."""
    matplotlib()
    from .picture import MovingPicture

    fps = checks.number(fps, "fps", 0, MOST_FPS, open_low=True)
    write = None if path is None else _writer(path)
    dpi = checks.number(dpi, "dpi", 0, MOST_DPI, open_low=True)
    figure, show = _staged(film, show_loss)
    figure.set_dpi(dpi)
    frames = range(len(film.epochs))
    if path is not None and write is not None:
        write(os.fspath(path), figure, show, frames, fps)
        return None
    return MovingPicture(figure, show, frames, fps, lambda file: _write_gif(file, figure, show, frames, fps))


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


def _write_gif(path: str | BinaryIO, figure: Figure, show: Show, frames: range, fps: float) -> None:
    from PIL import Image

    images = []
    for i in frames:
        show(i)
        figure.canvas.draw()
        images.append(Image.fromarray(np.array(figure.canvas.buffer_rgba())[..., :3]))  # type: ignore[attr-defined]  # of Agg
    # One palette for all, of some of them, so that what stays equal has equal colours, and is stored once.
    some = [np.asarray(images[i]) for i in sorted({0, len(images) // 3, len(images) - 1})]
    palette = Image.fromarray(np.vstack(some)).quantize(255, Image.Quantize.FASTOCTREE)
    first, *others = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    # The last frame stays a while before the film begins again.
    durations = [round(1000 / fps)] * len(others) + [LAST_MILLISECONDS]
    first.save(path, "GIF", save_all=True, append_images=others, duration=durations, loop=0)


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
    figure, drawn = panels(n, columns, (3.2 * columns + 1.4, 0.8 + 3 * rows))
    shows = [_draw(film, drawn[:n_panels])] if film.scene else []
    if has_loss:
        shows.append(_draw_losses(drawn[-1], film))

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


def _draw(film: Film, drawn: list[Axes]) -> Show:
    scene = film.scene
    if isinstance(scene, Diagram):
        return _draw_network(drawn[0], scene)
    if isinstance(scene, Weights):
        return _draw_weights(drawn, scene)
    assert scene is not None
    return _draw_fit(drawn[0], scene) if isinstance(scene, Fit) else _draw_plane(drawn[0], scene)


def _draw_fit(axes: Axes, scene: Fit) -> Show:
    samples = axes.plot(scene.x, scene.targets, **{**TARGET, "markersize": 8 if len(scene.x) < 30 else 3})
    lines = axes.plot(scene.grid, scene.curves[0], color=VERMILION, linewidth=2.5, label="prediction")
    n = max(len(samples), len(lines))
    if n > 1:  # each output has a colour, as dots and as a curve
        for artist, color in (*zip(samples, colors_of(n), strict=False), *zip(lines, colors_of(n), strict=False)):
            artist.set_color(color)
    axes.set(title="fit", xlabel="x", ylabel="y", xlim=(scene.grid[0], scene.grid[-1]), ylim=(scene.low, scene.high))
    axes.legend(handles=[samples[0], lines[0]])

    def show(frame: int) -> None:
        for curve, values in zip(lines, scene.curves[frame].T, strict=True):
            curve.set_ydata(values)

    return show


def _draw_plane(axes: Axes, scene: Plane) -> Show:
    axes.grid(False)
    axes.spines[["top", "right"]].set_visible(True)
    behind, is_surface = ground(axes), scene.classes is None
    look: dict[str, Any] = {"origin": "lower", "aspect": "auto", "interpolation": "bicubic", "zorder": 0}
    image = axes.imshow(_colors(scene, 0, behind), extent=scene.box, **look)
    points: dict[str, Any] = {"s": 14, "edgecolors": ink(), "linewidths": 0.5}
    if is_surface:
        numbers = scene.low + (scene.high - scene.low) * scene.targets
        points.update(c=numbers, cmap=SEQUENTIAL, vmin=scene.low, vmax=scene.high)
    else:
        points.update(c=np.array(colors_of(scene.n_classes))[scene.targets])
    dots = axes.scatter(scene.x[:, 0], scene.x[:, 1], **points)
    if is_surface:
        axes.figure.colorbar(dots, ax=axes, fraction=0.05)
    left, right, bottom, top = scene.box
    title = "surface" if is_surface else "classes"
    axes.set(title=title, xlabel="x1", ylabel="x2", xlim=(left, right), ylim=(bottom, top))

    def show(frame: int) -> None:
        image.set_data(_colors(scene, frame, behind))

    return show


def _colors(scene: Plane, frame: int, behind: str) -> Array:
    """Return the image of a frame, of shape (m, m, 3): the ground behind it shows where two classes are equally far."""
    mpl = matplotlib()
    values = scene.values[frame] / 255
    if scene.classes is None:
        rgb: Array = mpl.colormaps[SEQUENTIAL](values)[..., :3]
        return rgb
    palette, strength = mpl.colors.to_rgba_array(colors_of(scene.n_classes))[:, :3], 0.6 * values[..., None]
    image: Array = (1 - strength) * mpl.colors.to_rgb(behind) + strength * palette[scene.classes[frame]]
    return image


def _draw_weights(drawn: list[Axes], scene: Weights) -> Show:
    limits: dict[str, Any] = {"vmin": -scene.largest, "vmax": scene.largest}
    images = []
    for axes, name, matrices in zip(drawn, scene.names, scene.matrices, strict=True):
        axes.grid(False)
        images.append(axes.imshow(matrices[0], diverging(axes), aspect="auto", interpolation="nearest", **limits))
        axes.set_title(name)
        axes.set(xticks=[], yticks=[])
        if scene.has_bias:
            axes.axhline(len(matrices[0]) - 1.5, color=ink(), linewidth=1)
    drawn[0].figure.colorbar(images[-1], ax=drawn, fraction=0.03)

    def show(frame: int) -> None:
        for image, matrices in zip(images, scene.matrices, strict=True):
            image.set_data(matrices[frame])

    return show


def _draw_network(axes: Axes, scene: Diagram) -> Show:
    net, mpl = scene.net, matplotlib()
    layout.diagram_panel(net, axes)
    xy, scale = layout.places(net), layout.scale_of(axes, [np.array([scene.largest])])
    lines = [axes.add_collection(mpl.collections.LineCollection([], zorder=1)) for _ in scene.matrices]
    _, *circles = layout.draw_neurons(axes, xy, [None] * len(xy), scale, written=False)
    layout.label_layers(axes, net, xy)
    axes.figure.colorbar(scale, ax=axes, fraction=0.04)

    def show(frame: int) -> None:
        for l, matrices in enumerate(scene.matrices):
            matrix = matrices[frame]
            W = matrix[:-1] if scene.has_bias else matrix
            show_weights(lines[l], xy[l], xy[l + 1], W, scale)
            if scene.has_bias:
                circles[l].set_facecolors(scale.to_rgba(matrix[-1]))

    return show


def _draw_losses(axes: Axes, film: Film) -> Show:
    if film.history.loss:
        losses(film.history, ax=axes)
    curves = [curve for curve in (film.history.loss, film.history.validation_loss) if curve]
    moment = axes.axvline(0, color=ink(), linewidth=1, alpha=0.5)
    (dots,) = axes.plot([], [], "o", color=ink(), markersize=5, clip_on=False)
    dots.set_in_layout(False)  # where there are none, they would take all the room
    axes.set(title="loss", xlabel="epoch", xlim=(0, max(1, len(film.history.loss))))

    def show(frame: int) -> None:
        epoch = film.epochs[frame]
        moment.set_xdata([epoch, epoch])
        values = [curve[epoch - 1] for curve in curves if epoch]
        dots.set_data([epoch] * len(values), values)

    return show
