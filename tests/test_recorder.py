"""Snapshots of a run, and the animations made of them."""

from __future__ import annotations

import base64
import itertools
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import plot
from fastmlp.plot import scenes
from fastmlp.reference.arrays import Array

Data = tuple[Array, Array]


@pytest.fixture
def wave() -> Data:
    X = np.linspace(-1, 1, 30).reshape(-1, 1)
    return X, np.sin(4 * X)


@pytest.fixture
def corners(rng: np.random.Generator) -> Data:
    """Give points of a square, and the quarter that each lies in."""
    X = rng.uniform(-1, 1, (80, 2))
    return X, (X[:, 0] > 0) + 2 * (X[:, 1] > 0)


def record(data: Data, epochs: int = 12, network: Any = fastmlp.Network, sizes: Any = (), **arguments: Any) -> Any:
    recorder = plot.Recorder(
        **{name: arguments.pop(name) for name in ("every", "max_frames", "at") if name in arguments}
    )
    net = network(*(sizes or ([data[0].shape[1], 6, 1],)), random_state=0)
    arguments.setdefault("optimizer", fastmlp.Adam(0.03))
    net.train(*data, epochs=epochs, callbacks=[recorder], **arguments)
    return recorder, net


def classifier(corners: Data, **arguments: Any) -> Any:
    return record(corners, sizes=([2, 8, 4], "tanh", "softmax"), loss="log_loss", **arguments)


def scene(recorder: Any, kind: str | None = None, *samples: Any) -> Any:
    return recorder._film(kind, *(samples or (None, None)), "").scene


@pytest.mark.parametrize(
    ("epochs", "every", "max_frames"),
    [(0, 1, 9), (1, 1, 2), (7, 3, 9), (100, 1, 2), (100, 1, 3), (100, 7, 10), (128, 1, 33), (513, 1, 16), (99, 200, 5)],
)
def test_snapshots_are_few_and_evenly_spaced_and_have_both_ends(
    epochs: int, every: int, max_frames: int, wave: Data
) -> None:
    recorder, _ = record(wave, epochs, every=every, max_frames=max_frames)
    assert len(recorder.snapshots) == len(recorder.epochs) <= max_frames
    assert (recorder.epochs[0], recorder.epochs[-1]) == (0, epochs)
    *steps, last = [b - a for a, b in itertools.pairwise([0, *recorder.epochs])]
    assert len(set(steps[1:])) <= 1
    assert epochs == 0 or 0 < last <= max(steps[1:], default=epochs)
    assert len(recorder.epochs) > min(max_frames / 2, epochs / every) or max_frames <= 3


def test_the_very_epochs_may_be_chosen(wave: Data) -> None:
    recorder, _ = record(wave, 20, at=[2, 1, 5, 50], max_frames=2)
    assert recorder.epochs == [0, 1, 2, 5, 20]
    with pytest.raises(ValueError, match="an epoch of at must be at least 0, not -1"):
        plot.Recorder(at=[-1])


def test_a_snapshot_is_what_a_run_of_so_many_epochs_gives(backend: Any, wave: Data) -> None:
    recorder, net = record(wave, 10, backend, every=5)
    assert recorder.epochs == [0, 5, 10]
    assert np.array_equal(recorder.snapshots[-1], net.parameters)
    assert np.array_equal(recorder.snapshots[0], backend([1, 6, 1], random_state=0).parameters)
    _, shorter = record(wave, 5, backend)
    assert np.array_equal(recorder.snapshots[1], shorter.parameters)


@pytest.mark.parametrize("comes_first", [True, False])
def test_the_last_snapshot_is_of_the_last_epoch_and_not_the_best_one_put_back(comes_first: bool, wave: Data) -> None:
    recorder, stopping = plot.Recorder(every=7), fastmlp.EarlyStopping(patience=2, monitor="loss")
    callbacks = [recorder, stopping] if comes_first else [stopping, recorder]
    net = fastmlp.Network([1, 6, 1], random_state=0)
    history = net.train(*wave, epochs=500, optimizer=fastmlp.SGD(3.0), callbacks=callbacks)
    assert recorder.epochs[-1] == len(history.loss) < 500
    assert not np.array_equal(recorder.snapshots[-1], net.parameters)


def test_a_run_that_an_exception_ends_is_recorded_up_to_there(wave: Data) -> None:
    class Trouble:
        def on_epoch_end(self, state: Any) -> None:
            if state.epoch == 5:
                raise KeyboardInterrupt

    recorder = plot.Recorder(every=4)
    with pytest.raises(KeyboardInterrupt):
        fastmlp.Network([1, 3, 1]).train(*wave, epochs=9, callbacks=[Trouble(), recorder])
    assert recorder.epochs == [0, 4, 5]
    assert scene(recorder).curves.shape == (3, scenes.N_CURVE, 1)


def test_a_run_may_be_looked_at_while_it_goes_on(wave: Data) -> None:
    class Looker:
        def on_epoch_end(self, state: Any) -> None:
            assert len(scene(recorder).curves) == state.epoch + 1

    recorder = plot.Recorder()
    fastmlp.Network([1, 3, 1]).train(*wave, epochs=3, callbacks=[recorder, Looker()])


def test_each_run_is_recorded_afresh_and_a_resumed_one_from_its_checkpoint_on(wave: Data, tmp_path: Path) -> None:
    recorder, path = plot.Recorder(every=2), tmp_path / "run"
    for _ in range(2):
        fastmlp.Network([1, 3, 1]).train(*wave, epochs=4, callbacks=[recorder, fastmlp.Checkpoint(path)])
        assert recorder.epochs == [0, 2, 4]
    history = fastmlp.Network([1, 3, 1]).train(
        *wave, epochs=9, resume=path, callbacks=[recorder, fastmlp.Checkpoint(path)]
    )
    assert recorder.epochs == [4, 6, 8, 9]
    assert recorder._film(None, None, None, "").caption(0) == f"epoch 4  loss {history.loss[3]:.3g}"


@pytest.mark.parametrize("network", [fastmlp.Network, fastmlp.reference.Network])
def test_a_fit_ends_with_what_the_network_predicts(network: Any, wave: Data) -> None:
    recorder, net = record(wave, 20, network, ([1, 6, 1],), validation_data=0.2, random_state=0)
    fit = scene(recorder)
    np.testing.assert_allclose(fit.curves[-1], net.predict(fit.grid.reshape(-1, 1)), atol=1e-6)
    assert len(fit.x) == 24  # those trained on
    assert fit.low < fit.targets.min() < fit.targets.max() < fit.high
    others = scene(recorder, "fit", [[0.0], [5.0]], [[7.0], [8.0]])
    assert others.x.tolist() == [0, 5]
    assert others.high > 8


def test_a_boundary_shows_the_class_of_the_largest_output(corners: Data) -> None:
    recorder, net = classifier(corners, epochs=60)
    plane = scene(recorder)
    m = scenes.N_SIDE
    left, right, bottom, top = plane.box
    for i, j in ((3, 5), (40, 11), (20, 44)):
        point = [[left + (right - left) * j / (m - 1), bottom + (top - bottom) * i / (m - 1)]]
        p = np.sort(net.predict(point)[0])
        assert plane.classes[-1, i, j] == net.predict(point).argmax()
        assert plane.values[-1, i, j] == pytest.approx(255 * (p[-1] - p[-2]), abs=0.6)
    assert np.array_equal(plane.targets, corners[1])


@pytest.mark.parametrize(("low", "high", "output"), [(0, 1, "sigmoid"), (-1, 1, "tanh"), (3, 7, "linear")])
def test_two_targets_are_two_classes(low: float, high: float, output: str, corners: Data) -> None:
    X, quarter = corners
    recorder, net = record((X, np.where(quarter > 1, high, low)), 30, sizes=([2, 6, 1], "tanh", output))
    plane = scene(recorder)
    assert set(plane.targets) == {0, 1}
    corner = plane.box[0], plane.box[3]
    assert plane.classes[-1, -1, 0] == (net.predict([corner])[0, 0] > (low + high) / 2)


def test_a_regression_of_two_inputs_is_a_surface(corners: Data) -> None:
    X, _ = corners
    recorder, net = record((X, 3 + X.sum(axis=1)), 40, sizes=([2, 6, 1],))
    plane = scene(recorder)
    assert plane.classes is None
    left, _, bottom, _ = plane.box
    expected = np.clip((net.predict([[left, bottom]])[0, 0] - plane.low) / (plane.high - plane.low), 0, 1)
    assert plane.values[-1, 0, 0] == pytest.approx(255 * expected, abs=0.6)


def test_weights_are_those_of_the_snapshots_with_biases_below(wave: Data) -> None:
    recorder, net = record(wave, 3)
    shown = scene(recorder, "weights")
    assert [a.shape for a in shown.matrices] == [(4, 2, 6), (4, 7, 1)]
    assert np.array_equal(shown.matrices[1][-1], np.vstack([net.weights[1], net.biases[1]]))
    assert shown.names == ["W[1], b[1]: 1 x 6", "W[2], b[2]: 6 x 1"]
    assert shown.largest == np.abs(recorder.snapshots).max()


def test_a_moving_network_is_drawn_like_a_still_one(wave: Data) -> None:
    recorder, net = record(wave, 3)
    animation = recorder.animate(kind="network", show_loss=False)
    animation._draw_frame(3)
    moving, still = animation._fig.axes[0].collections, plot.network(net, numbers=False).collections
    assert len(moving) == len(still) == 5
    for ours, theirs in zip(moving[:2], still[:2], strict=True):
        assert np.array_equal(ours.get_segments(), theirs.get_segments())  # the heaviest last
        assert (np.diff(ours.get_linewidths()) >= 0).all()
    for ours, theirs in zip(moving[2:], still[2:], strict=True):
        assert np.array_equal(ours.get_offsets(), theirs.get_offsets())
    animation._draw_was_started = True


def test_moving_and_still_networks_share_their_colours(wave: Data) -> None:
    recorder, net = record(wave, 0)
    animation = recorder.animate(kind="network", show_loss=False)
    for ours, theirs in zip(animation._fig.axes[0].collections, plot.network(net).collections, strict=True):
        for look in ("get_facecolors", "get_edgecolors", "get_linewidths"):
            np.testing.assert_allclose(getattr(ours, look)(), getattr(theirs, look)())
    animation._draw_was_started = True


def test_large_networks_are_no_diagrams(rng: np.random.Generator) -> None:
    recorder, _ = record((rng.standard_normal((9, 3)), np.ones(9)), 1, sizes=([3, 21, 1],))
    with pytest.raises(ValueError, match="10 layers of up to 20 neurons, and this network has 3 of up to 21: kind 'we"):
        recorder.replay(kind="network")


def test_of_a_deep_network_some_layers_are_shown(wave: Data) -> None:
    recorder, net = record(wave, 1, sizes=([1] * 31,))
    shown = scene(recorder, "weights")
    assert len(shown.names) == len(shown.matrices) == 12
    assert (shown.names[0][:4], shown.names[-1][:5]) == ("W[1]", "W[30]")
    assert shown.matrices[-1][-1, 0] == net.weights[-1]


def test_every_class_has_a_colour_of_its_own(rng: np.random.Generator) -> None:
    X, y = rng.standard_normal((40, 2)), np.arange(40) % 8
    recorder, _ = record((X, y), 0, sizes=([2, 8], "tanh", "softmax"), loss="log_loss")
    animation = recorder.animate()
    (dots,) = animation._fig.axes[0].collections
    assert len(np.unique(dots.get_facecolors(), axis=0)) == 8
    animation._draw_was_started = True


@pytest.mark.parametrize(("look", "ground"), [("default", 1.0), ("dark_background", 0.0)])
def test_where_no_class_is_likelier_the_ground_shows(look: str, ground: float, corners: Data) -> None:
    recorder, _ = classifier(corners, epochs=0)
    recorder.snapshots[0][:] = 0
    with pytest.importorskip("matplotlib.style").context(look):
        animation = recorder.animate()
        assert (animation._fig.axes[0].images[0].get_array() == ground).all()
    animation._draw_was_started = True


def test_large_matrices_are_thinned_and_say_so(rng: np.random.Generator) -> None:
    recorder, net = record(
        (rng.standard_normal((9, 200)), np.ones(9)), 1, sizes=([200, 70, 1], "tanh", "linear", False)
    )
    shown = scene(recorder)
    assert shown.names[0] == "W[1]: 200 x 70, 64 x 64 of them"
    assert [a.shape[1:] for a in shown.matrices] == [(64, 64), (64, 1)]
    assert shown.matrices[0][-1, -1, -1] == net.weights[0][-1, -1]


def test_samples_of_sparse_matrices_and_of_many_rows(rng: np.random.Generator) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    X = sparse.csr_array(rng.standard_normal((2000, 1)))
    recorder, _ = record((X, X.toarray()[:, 0]), 2)
    fit = scene(recorder)
    assert len(fit.x) == len(fit.targets) == 500
    assert np.array_equal(fit.x[[0, -1]], X.toarray()[[0, -1], 0].astype("f4"))


@pytest.mark.filterwarnings("ignore:Maximum iterations")
def test_estimators_are_recorded_too(corners: Data) -> None:
    pytest.importorskip("sklearn")
    X, quarter = corners
    recorder = plot.Recorder(max_frames=6)
    names = np.array(["a", "b", "c", "d"])[quarter]
    fastmlp.MLPClassifier((5,), max_iter=11, callbacks=[recorder], random_state=0).fit(X, names)
    assert recorder.epochs == [0, 4, 8, 11]
    assert np.array_equal(scene(recorder).targets, quarter)


def assert_gif(path: Path, n_frames: int) -> None:
    with pytest.importorskip("PIL.Image").open(path) as image:
        assert image.format == "GIF"
        # Equal frames at the end are stored as one that stays.
        assert image.n_frames == n_frames
        assert min(image.size) >= 300


@pytest.mark.parametrize("kind", [None, "loss", "weights", "network"])
def test_a_gif_has_a_frame_for_each_snapshot(kind: str | None, wave: Data, tmp_path: Path) -> None:
    recorder, _ = record(wave, 3, validation_data=0.3, random_state=0)
    assert recorder.animate(tmp_path / "run.gif", kind, title="costs $5 and {more}") is None
    assert_gif(tmp_path / "run.gif", 4)


def test_notebooks_show_an_animation(wave: Data, tmp_path: Path) -> None:
    recorder, _ = record(wave, 3)
    bundle = recorder.animate(kind="loss")._repr_mimebundle_(include=None, exclude=None)
    assert list(bundle) == ["image/gif"]
    (tmp_path / "run.gif").write_bytes(base64.b64decode(bundle["image/gif"]))
    assert_gif(tmp_path / "run.gif", 4)


def test_regions_and_surfaces_are_animated(corners: Data, tmp_path: Path) -> None:
    recorder, _ = classifier(corners, epochs=2)
    recorder.animate(tmp_path / "a.gif", show_loss=False, fps=20)
    assert_gif(tmp_path / "a.gif", 3)
    recorder, _ = record((corners[0], corners[0].sum(axis=1)), 2, sizes=([2, 3, 1],))
    recorder.animate(str(tmp_path / "b.gif"))
    assert_gif(tmp_path / "b.gif", 3)


def test_an_animation_shows_the_curves_of_its_frame(wave: Data) -> None:
    recorder, _ = record(wave, 4, sizes=([1, 6, 1],))
    animation = recorder.animate(title="A wave")
    figure = animation._fig
    animation._draw_frame(2)
    _, curve = figure.axes[0].lines
    assert np.array_equal(curve.get_ydata(), scene(recorder).curves[2][:, 0])
    assert figure._suptitle.get_text() == f"A wave\nepoch 2  loss {recorder.history.loss[1]:.3g}"
    animation._draw_was_started = True  # or it warns that nobody looked


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="the program ffmpeg is not installed")
def test_a_video(wave: Data, tmp_path: Path) -> None:
    recorder, _ = record(wave, 2)
    recorder.animate(tmp_path / "run.MP4", "loss")
    assert (tmp_path / "run.MP4").read_bytes()[4:8] == b"ftyp"


def test_without_ffmpeg_a_video_says_what_to_do(wave: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, _ = record(wave, 2)
    matplotlib = pytest.importorskip("matplotlib")
    monkeypatch.setitem(matplotlib.rcParams, "animation.ffmpeg_path", "no-such-program")
    with pytest.raises(RuntimeError, match=r"needs the program ffmpeg.*or write a \.gif"):
        recorder.animate(tmp_path / "run.mp4")
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_an_animation_names_the_command_and_a_page_is_made(
    wave: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, _ = record(wave, 2)
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'fastmlp\[plot\]'"):
        recorder.animate("run.gif")
    assert "<canvas" in recorder.replay().html


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("name", ["every", "max_frames"])
def test_arguments_of_the_recorder(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least"):
        plot.Recorder(**{name: value})
    with pytest.raises(TypeError, match=f"{name} must be an integer"):
        plot.Recorder(**{name: 2.5})


MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    (
        {"kind": "fits"},
        ValueError,
        "unknown kind 'fits': did you mean 'fit'.*known are fit, boundary, weights, network, loss",
    ),
    ({"kind": "boundary"}, ValueError, "kind 'boundary' is for networks with 2 inputs, and this one has 1"),
    ({"path": "run.avi"}, ValueError, r"is a \.gif or an \.mp4, not 'run\.avi'; replay\(\) writes"),
    ({"X": [[1.0]]}, ValueError, "X and Y go together"),
    ({"X": [[1.0, 2.0]], "Y": [[1.0, 1.0]]}, ValueError, r"X must have shape"),
    ({"X": [[1.0]], "Y": [[1.0, 1.0]]}, ValueError, r"Y must have shape"),
    ({"title": 3}, TypeError, "title must be a string, not 3"),
    ({"fps": 0}, ValueError, "fps must lie in"),
    ({"show_loss": 1}, TypeError, "show_loss must be True or False"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), MISTAKES, ids=str)
def test_mistakes_are_named(
    arguments: dict[str, Any], error: type[Exception], message: str, wave: Data, folder: Path
) -> None:
    recorder, _ = record(wave, 1)
    with pytest.raises(error, match=message):
        recorder.animate(**arguments)
    assert not list(folder.iterdir())


def test_nothing_recorded_and_outputs_that_are_no_classes(corners: Data) -> None:
    with pytest.raises(ValueError, match="nothing is recorded yet: pass the recorder"):
        plot.Recorder().animate()
    recorder, _ = record((corners[0], corners[0]), 1, sizes=([2, 3, 2],))
    with pytest.raises(ValueError, match="2 outputs that are no classes"):
        recorder.replay()
