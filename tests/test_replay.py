"""Pages that replay a run: their data, their words, and how they behave in a browser."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import plot
from fastmlp.reference.arrays import Array

TITLE = "</script><script>alert('1')</script> & \"50 %\" \u2028 <b>@FILM@"

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)


def recorded(sizes: Any, X: Array, Y: Any, epochs: int = 8, **arguments: Any) -> tuple[plot.Recorder, Any]:
    recorder, net = plot.Recorder(), fastmlp.Network(*sizes, random_state=0)
    arguments.setdefault("optimizer", fastmlp.Adam(0.05))
    net.train(X, Y, epochs=epochs, callbacks=[recorder], random_state=0, **arguments)
    return recorder, net


@pytest.fixture
def wave() -> tuple[plot.Recorder, Any]:
    X = np.linspace(-1, 1, 30).reshape(-1, 1)
    return recorded(([1, 6, 1],), X, np.sin(4 * X), validation_data=0.2)


@pytest.fixture
def classes(rng: np.random.Generator) -> tuple[plot.Recorder, Any]:
    X = rng.uniform(-1, 1, (60, 2))
    return recorded(([2, 6, 3], "tanh", "softmax"), X, (X > 0).sum(axis=1), loss="log_loss")


def data_of(page: plot.Replay) -> dict[str, Any]:
    """Return what the page's script reads."""
    (found,) = re.findall(r'<script type="application/json" id="film">(.*?)</script>', page.html, re.DOTALL)
    film: dict[str, Any] = json.loads(found, parse_constant=pytest.fail)
    return film


def unpack(packed: dict[str, Any]) -> Array:
    whole = np.frombuffer(base64.b64decode(packed["data"]), f"<u{packed['bits'] // 8}")
    share: Array = whole / (2 ** packed["bits"] - 1)
    return packed["low"] + (packed["high"] - packed["low"]) * share


def test_the_page_holds_the_course_of_the_run(wave: Any) -> None:
    recorder, _ = wave
    film = data_of(recorder.replay(title="A wave"))
    assert film["title"] == "A wave"
    assert film["network"] == "1-6-1, tanh, linear"
    assert film["epochs"] == recorder.epochs == [*range(9)]
    for name, curve in (("loss", recorder.history.loss), ("validation", recorder.history.validation_loss)):
        first, *others = film[name]
        assert first is None
        assert others == pytest.approx(curve, rel=1e-4)
    assert [curve["name"] for curve in film["losses"]["curves"]] == ["loss", "validation"]
    assert film["losses"]["low"] < min(recorder.history.loss) < max(recorder.history.loss) < film["losses"]["high"]


def test_curves_are_packed_to_a_ten_thousandth_of_the_picture(wave: Any) -> None:
    recorder, net = wave
    scene = data_of(recorder.replay())["scene"]
    curves = unpack(scene["curves"]).reshape(9, len(scene["grid"]))
    Y_hat = net.predict(np.reshape(scene["grid"], (-1, 1)))[:, 0]
    assert np.abs(curves[-1] - Y_hat).max() < 1e-4 * (scene["high"] - scene["low"]) + 1e-4


def test_regions_and_surfaces_are_packed(classes: Any, rng: np.random.Generator) -> None:
    recorder, _ = classes
    scene, plane = data_of(recorder.replay())["scene"], recorder._film(None, None, None, "").scene
    assert np.array_equal(unpack(scene["classes"]).round(), plane.classes.ravel())
    np.testing.assert_allclose(255 * unpack(scene["values"]), plane.values.ravel(), atol=0.1)
    X = rng.uniform(-1, 1, (20, 2))
    surface = data_of(recorded(([2, 3, 1],), X, X[:, 0])[0].replay())["scene"]
    assert surface["classes"] is None
    assert min(surface["targets"]) == 0
    assert max(surface["targets"]) == 1


def test_weights_are_packed_to_a_hundredth_of_the_largest(wave: Any) -> None:
    recorder, net = wave
    scene = data_of(recorder.replay(kind="weights"))["scene"]
    assert scene["shapes"] == [[2, 6], [7, 1]]
    last = unpack(scene["matrices"][1]).reshape(9, 7, 1)[-1]
    np.testing.assert_allclose(last, np.vstack([net.weights[1], net.biases[1]]), atol=scene["largest"] / 100)


def test_neurons_lie_in_the_picture(wave: Any) -> None:
    neurons = data_of(wave[0].replay(kind="network"))["scene"]["neurons"]
    assert [len(layer) for layer in neurons] == [1, 6, 1]
    assert neurons[0] == [[pytest.approx(1 / 6), 0.5]]
    assert [y for _, y in neurons[1]] == pytest.approx([11 / 12, 9 / 12, 7 / 12, 5 / 12, 3 / 12, 1 / 12])


def test_the_words_of_users_stay_words(wave: Any) -> None:
    recorder, _ = wave
    page = recorder.replay(title=TITLE)
    assert data_of(page)["title"] == TITLE
    assert f"<title>{html.escape(TITLE)}</title>" in page.html
    assert page.html.count("<script") == 2
    assert "alert('1')</script" not in page.html


@pytest.mark.parametrize("kind", ["fit", "weights", "loss"])
def test_a_page_needs_nothing_from_elsewhere(kind: str, wave: Any) -> None:
    text = wave[0].replay(kind=kind).html
    assert not re.search(r"https?:|//[a-z]|\bsrc=|\bhref=|url\(|@import|import\(|fetch\(|XMLHttp|@TITLE@|@FILM@", text)
    assert "default-src 'none'" in text


def test_losses_that_are_no_numbers_are_left_out(wave: Any) -> None:
    recorder, _ = wave
    recorder.history.loss[3:5] = [float("nan"), float("inf")]
    film = data_of(recorder.replay())
    assert film["loss"][4:6] == [None, None]
    assert np.isfinite(film["losses"]["high"])


def test_a_run_of_no_epochs_has_a_page() -> None:
    film = data_of(recorded(([3, 2],), np.ones((4, 3)), np.ones((4, 2)), epochs=0)[0].replay())
    assert film["epochs"] == [0]
    assert film["losses"]["curves"] == []
    assert film["kind"] == "weights"


def test_pages_stay_small(classes: Any) -> None:
    recorder, _ = classes
    recorder.epochs, recorder.snapshots = [*range(100)], [recorder.snapshots[-1]] * 100
    recorder.history.loss = [1.0 / (i + 1) for i in range(100_000)]
    assert len(recorder.replay().html) < 1_000_000


def test_a_page_is_written_whole(wave: Any, tmp_path: Path) -> None:
    page = wave[0].replay(tmp_path / "run.html")
    assert (tmp_path / "run.html").read_text(encoding="utf-8") == page.html
    with pytest.raises(OSError, match="no-such-folder"):
        wave[0].replay(tmp_path / "no-such-folder" / "run.html")


def test_notebooks_show_it_in_a_frame_of_its_own(wave: Any) -> None:
    page = wave[0].replay(title=TITLE)
    (frame,) = re.findall(r'^<iframe .* srcdoc="([^"]*)"></iframe>$', page._repr_html_(), re.DOTALL)
    assert html.unescape(frame) == page.html


# What a reader does with a page, and what it shows then.
DRIVER = """
<script>
const told = [];
const look = (what) => told.push([what, element("epoch").textContent, element("loss").textContent,
  element("slider").value, element("play").textContent, element("slider").getAttribute("aria-valuetext")]);
const key = (name, target = document.body) =>
  target.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
const waited = (ms) => new Promise(done => setTimeout(done, ms));
addEventListener("load", async () => {
  look("start");
  element("forward").click(); look("forward");
  key("ArrowRight"); look("right");
  key("ArrowLeft"); look("left");
  key("ArrowRight", element("slider")); look("right in the slider");
  element("slider").value = 5; element("slider").dispatchEvent(new Event("input")); look("slider");
  key("End"); look("end");
  key("Home"); look("home");
  element("speed").value = "4";
  element("play").click(); look("play"); element("play").click(); look("pause");
  key(" "); look("space");
  await waited(3000); look("played");
  element("play").click(); look("again"); element("play").click();
  location.hash = "epoch=3"; await waited(50); look("address");
  answer({ told, errors, colors: colors(document), title: element("title").textContent });
});
</script>
"""

# How pages look that are frames of another one, of which some are narrow.
ONLOOKER = """
<script>
addEventListener("load", () => {
  const pages = [...document.querySelectorAll("iframe")].map(frame => frame.contentDocument);
  answer(pages.map(page => (
    { colors: colors(page), wide: page.documentElement.scrollWidth, width: page.body.clientWidth })));
});
</script>
"""

# What both use. Errors of the page's own are told too.
TOOLS = """
<script>
const errors = [];
const colors = (page) => [...page.querySelectorAll("canvas")].filter(canvas => !canvas.hidden).map(canvas =>
  new Set(new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size);
const answer = (value) => {
  const output = document.createElement("pre");
  output.id = "told";
  output.textContent = JSON.stringify(value);
  document.body.append(output);
};
addEventListener("error", event => errors.push(event.message));
addEventListener("securitypolicyviolation", event => errors.push(event.violatedDirective));
</script>
"""


def visit(page: str, folder: Path) -> Any:
    """Open a page in a browser, and return what its script answers."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            str(BROWSER),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
            "--window-size=1000,900",
            "--virtual-time-budget=8000",
            "--enable-logging=stderr",
            "--dump-dom",
            (folder / "page.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    (found,) = re.findall(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    return json.loads(html.unescape(found))


@pytest.mark.skipif(not BROWSER, reason="neither Chromium nor Chrome is installed")
def test_a_reader_plays_steps_and_slides(wave: Any, tmp_path: Path) -> None:
    recorder, _ = wave
    page = recorder.replay(title=TITLE).html
    seen = visit(page.replace("<title>", TOOLS + "<title>").replace("</body>", DRIVER + "</body>"), tmp_path)
    assert seen["errors"] == []
    assert seen["title"] == TITLE
    assert min(seen["colors"]) > 10  # both canvases have something on them
    moments = {what: (int(epoch), button) for what, epoch, _, _, button, _ in seen["told"]}
    assert moments == {
        "start": (0, "Play"),
        "forward": (1, "Play"),
        "right": (2, "Play"),
        "left": (1, "Play"),
        "right in the slider": (1, "Play"),  # which moves itself
        "slider": (5, "Play"),
        "end": (8, "Play"),
        "home": (0, "Play"),
        "play": (0, "Pause"),
        "pause": (0, "Play"),
        "space": (0, "Pause"),
        "played": (8, "Play"),
        "again": (0, "Pause"),
        "address": (3, "Play"),
    }
    for _, epoch, loss, place, _, words in seen["told"]:
        assert place == epoch  # a snapshot for each epoch
        expected = f"{recorder.history.loss[int(epoch) - 1]:.4g}" if epoch != "0" else "\u2013"
        assert loss == expected or float(loss) == pytest.approx(float(expected), rel=1e-3)
        assert words == f"epoch {epoch}, loss {loss}"


@pytest.mark.skipif(not BROWSER, reason="neither Chromium nor Chrome is installed")
def test_every_kind_is_drawn_also_in_a_narrow_frame(classes: Any, tmp_path: Path) -> None:
    recorder, _ = classes
    frames = {
        (kind, width): recorder.replay(kind=kind)._repr_html_().replace('width="100%"', f'width="{width}"')
        for kind, width in (("boundary", 900), ("weights", 320), ("network", 320), ("loss", 320))
    }
    seen = visit(f"<!DOCTYPE html><body>{TOOLS}{''.join(frames.values())}{ONLOOKER}</body>", tmp_path)
    for (kind, width), frame in zip(frames, seen, strict=True):
        assert len(frame["colors"]) == (1 if kind == "loss" else 2)
        assert min(frame["colors"]) > 10
        assert frame["wide"] == frame["width"] <= width
