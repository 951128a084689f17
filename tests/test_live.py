"""What is seen of a run while it goes on: the panel of a terminal, and the picture of a notebook."""

from __future__ import annotations

import io
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import plot
from fastmlp.reference.arrays import Array
from fastmlp.reference.monitor import State
from fastmlp.reference.progress import ProgressLine, ProgressPanel, panel, sparkline
from fastmlp.reference.results import History

Data = tuple[Array, Array]

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor


@pytest.fixture
def data() -> Data:
    X = np.linspace(-1, 1, 20).reshape(-1, 1)
    return X, X**2


def state(epoch: int = 50, epochs: int = 200, **history: Any) -> Any:
    history.setdefault("loss", [0.5] * epoch)
    task = SimpleNamespace(Y=np.zeros((1000, 1)))
    return SimpleNamespace(epoch=epoch, epochs=epochs, task=task, history=History(**history))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(told: Any, width: int) -> str:
    """Return what a terminal of this width shows of a run."""
    console = pytest.importorskip("rich.console").Console(width=width, file=io.StringIO(), color_system=None)
    console.print(panel(told, width))
    return str(console.file.getvalue())


@pytest.mark.parametrize(
    ("curve", "width", "line"),
    [
        ([8.0, 4.0, 2.0, 1.0], 9, "█▆▃▁"),
        ([1000.0, 100.0, 10.0, 1.0], 4, "█▆▃▁"),  # each step as high as the other: logarithmic
        ([-1.0, 0.0, 1.0], 3, "▁▅█"),
        ([3.0, 3.0], 5, "▁▁"),
        ([2.0, math.nan, 1.0, math.inf], 4, "█ ▁ "),
        ([math.nan], 4, " "),
        ([float(i) for i in range(1000)], 3, "▁▅█"),
        ([], 4, ""),
    ],
)
def test_a_curve_in_a_line_of_text(curve: list[float], width: int, line: str) -> None:
    assert sparkline(curve, width) == line


def test_a_sparkline_ends_with_the_newest_value() -> None:
    assert sparkline([1.0] * 999 + [9.0], 10) == "▁" * 9 + "█"


def test_the_panel_tells_epoch_losses_speed_time_and_learning_rate() -> None:
    told = state(loss=[2.0, 0.25] * 25, validation_loss=[3.0, 0.125] * 25, learning_rate=[0.02] * 50, seconds=5.0)
    first, second, third = drawn(told, 100).splitlines()
    assert first.split()[:2] == ["epoch", "50/200"]
    assert first.endswith("5.0 s, 15.0 s left")
    assert second.split()[:2] == ["loss", "0.25"]
    assert second.rstrip().endswith("10 k samples/s")
    assert third.split()[:2] == ["validation", "0.125"]
    assert third.rstrip().endswith("learning rate 0.02")
    assert "█▁" in third


def test_the_panel_without_validation_data_and_with_a_solver() -> None:
    lines = drawn(state(learning_rate=[0.02]), 100).splitlines()
    assert [line.split()[0] for line in lines] == ["epoch", "loss", "learning"]
    assert len(drawn(state(), 100).splitlines()) == 2


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_the_panel_fits_into_any_terminal(width: int) -> None:
    told = state(19_999, 20_000, loss=[1.23456e-7] * 9, validation_loss=[1.23456e-7] * 9, learning_rate=[1e-5] * 9)
    told.history.seconds = 5000.0
    lines = drawn(told, width).splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert width < 80 or ("1:23:20" in lines[0] and "1e-05" in lines[2])


def test_no_letters_that_a_terminal_has_not(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")

    class Plain(Terminal):
        encoding = "ascii"

    monkeypatch.setattr(sys, "stderr", terminal := Plain())
    monkeypatch.setenv("TERM", "xterm")
    fastmlp.Network([1, 8, 1]).train(*data, epochs=30, progress=True)
    assert "30/30" in terminal.getvalue()
    assert terminal.getvalue().isascii()


def test_a_terminal_is_left_with_the_last_epoch(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    history = fastmlp.Network([1, 8, 1]).train(*data, epochs=30, validation_data=0.2, progress=True)
    text = terminal.getvalue()
    assert "30/30" in text
    assert f"{history.loss[-1]:.6g}" in text
    assert f"{history.validation_loss[-1]:.6g}" in text
    assert text.count(HIDE) == text.count(SHOW) == 1
    assert text.index(HIDE) < text.index(SHOW)


def test_without_rich_a_terminal_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    line = ProgressLine()
    line._last -= 1
    line.show(state(1, 2))
    line.show(state(2, 2, loss=[0.5, 0.25]))
    line.close()
    first, *_, last = terminal.getvalue().split("\r")[1:]
    assert first.startswith("epoch 1/2  loss 0.5")
    assert last.startswith("epoch 2/2  loss 0.25")
    assert last.endswith("\n")


def test_the_line_that_is_rewritten_fits_into_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "20")
    line = ProgressLine()
    line._last -= 1
    line.show(state(1, 2))  # which takes 0.0 s
    assert terminal.getvalue() == "\repoch 1/2  loss 0.5\x1b[K"


def test_the_terminal_is_given_back_though_drawing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    shown = ProgressPanel()
    shown._last -= 1
    shown.show(state())
    monkeypatch.setattr(shown, "_draw", lambda state: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        shown.close()
    assert terminal.getvalue().endswith(SHOW)


@pytest.mark.parametrize("network", [fastmlp.Network, fastmlp.reference.Network])
def test_live_is_one_plain_line_where_there_is_no_terminal(
    network: Any, data: Data, capfd: pytest.CaptureFixture[str]
) -> None:
    live = plot.Live()
    for _ in range(2):  # it can be used again
        network([1, 3, 1]).train(*data, epochs=9, callbacks=[live])
        out, err = capfd.readouterr()
        assert out == ""
        assert err.startswith("epoch 9/9  loss ")
        assert err.count("\n") == 1
        assert "\x1b" not in err


def test_watching_takes_no_python_for_each_epoch(data: Data) -> None:
    class Watcher:
        def __init__(self) -> None:
            self.epochs: list[int] = []

        def on_progress(self, state: State) -> None:
            self.epochs.append(state.epoch)

    watcher, plain = Watcher(), fastmlp.Network([1, 3, 1], random_state=0)
    net = plain.copy()
    history = net.train(*data, epochs=5000, callbacks=[watcher])
    assert len(watcher.epochs) < 500
    assert watcher.epochs[-1] == len(history.loss) == 5000
    plain.train(*data, epochs=5000)
    assert np.array_equal(net.parameters, plain.parameters)


class Notebook:
    """What a notebook has in the place of IPython."""

    def __init__(self) -> None:
        self.pictures: list[dict[str, Any]] = []
        self.n_displays = 0

    def display(self, picture: Any, display_id: bool) -> Any:
        assert display_id is True
        self.n_displays += 1
        self.pictures.append(picture)
        return SimpleNamespace(update=self.pictures.append)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    plot.activations(["tanh"])  # with the first figure, matplotlib asks IPython for what this one has not
    book, IPython, display = Notebook(), ModuleType("IPython"), ModuleType("IPython.display")
    IPython.__dict__.update(get_ipython=lambda: SimpleNamespace(kernel=object()), version_info=(9, 0), display=display)
    display.__dict__.update(display=book.display, Image=lambda **arguments: arguments)
    monkeypatch.setitem(sys.modules, "IPython", IPython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return book


def test_a_notebook_gets_one_picture_that_is_updated(
    notebook: Notebook, data: Data, capfd: pytest.CaptureFixture[str]
) -> None:
    class Slow:
        def on_epoch_end(self, state: State) -> None:
            time.sleep(0.01)

    live = plot.Live(seconds=0.02)
    fastmlp.Network([1, 3, 1]).train(*data, epochs=20, validation_data=0.2, callbacks=[live, Slow()])
    assert notebook.n_displays == 1
    assert 2 <= len(notebook.pictures) < 20
    assert all(p["data"].startswith(b"\x89PNG") and p["format"] == "png" for p in notebook.pictures)
    assert capfd.readouterr() == ("", "")


def test_pictures_are_few(notebook: Notebook, data: Data) -> None:
    fastmlp.Network([1, 3, 1]).train(*data, epochs=300, callbacks=[plot.Live(seconds=3600)])
    assert len(notebook.pictures) <= 2  # the first look, and the end


def test_a_terminal_of_ipython_is_no_notebook(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plot.live.in_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace())
    assert not plot.live.in_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    assert not plot.live.in_notebook()


def test_the_seconds_are_checked() -> None:
    with pytest.raises(ValueError, match="seconds must lie in"):
        plot.Live(-1)
    with pytest.raises(TypeError, match="seconds must be"):
        plot.Live("1")


SCRIPT = """
import sys
import numpy as np, fastmlp
class Talker:
    def on_epoch_end(self, state):
        if state.epoch == 3:
            print("hello", flush=True)
X = np.linspace(-1, 1, 50).reshape(-1, 1)
fastmlp.Network([1, 8, 1]).train(X, X**2, epochs={epochs}, progress=True, callbacks={callbacks})
"""


def in_a_terminal(script: str, stdout: Any = None, interrupt: bool = False) -> tuple[int, str]:
    """Run a script in a terminal of its own; return its exit code, and what was written there."""
    outer, inner = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-c", script]
    process = subprocess.Popen(command, stdin=inner, stdout=stdout or inner, stderr=inner, env=environment)
    os.close(inner)
    text = b""
    try:
        while part := os.read(outer, 4096):
            if interrupt and HIDE.encode() in text + part:
                process.send_signal(signal.SIGINT)
                interrupt = False
            text += part
    except OSError:  # which is how Linux tells that nobody writes any more
        pass
    os.close(outer)
    return process.wait(), text.decode()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals of this kind")
class TestInATerminal:
    def test_it_shows_the_panel_and_what_callbacks_print(self) -> None:
        pytest.importorskip("rich")
        code, text = in_a_terminal(SCRIPT.format(epochs=50, callbacks="[Talker()]"))
        assert code == 0
        assert "50/50" in text
        assert "samples/s" in text
        assert text.index("hello") < text.index("50/50")
        assert text.index(HIDE) < text.index(SHOW)

    def test_what_callbacks_print_into_a_file_stays_out_of_the_terminal(self, tmp_path: Path) -> None:
        with open(tmp_path / "out", "wb") as file:
            _, text = in_a_terminal(SCRIPT.format(epochs=50, callbacks="[Talker()]"), stdout=file)
        assert (tmp_path / "out").read_text() == "hello\n"
        assert "hello" not in text

    def test_ctrl_c_gives_the_cursor_back(self) -> None:
        pytest.importorskip("rich")
        code, text = in_a_terminal(SCRIPT.format(epochs=10**9, callbacks="[]"), interrupt=True)
        assert code != 0
        assert text.rstrip().endswith("KeyboardInterrupt")
        assert text.rindex(SHOW) > text.rindex(HIDE)
