"""Checkpoints that are damaged, old, of another run, or could not be written."""

from __future__ import annotations

import copy
import errno
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_checkpoints import Data, run
from test_files import rewrite

import fastmlp
from fastmlp import Checkpoint, EarlyStopping
from fastmlp.reference import atomic, checkpoints, tensors
from fastmlp.reference.optimizers import SGD, Adam


@pytest.fixture
def data(rng: np.random.Generator) -> Data:
    X = rng.uniform(-1, 1, (30, 2)).astype("float32")
    return X, np.sin(X.sum(axis=1, keepdims=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.checkpoint"


DAMAGES = {
    "cut short": lambda content: content[:-9],
    "empty": lambda content: b"",
    "a byte changed": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "a digit of its description changed": lambda content: content.replace(b'epoch\\":10', b'epoch\\":11', 1),
    "a model": lambda content: content.replace(b"fastmlp-checkpoint-3", b"fastmlp-model-2", 1),
}


@pytest.mark.parametrize("damage", [*DAMAGES, "missing"])
def test_the_one_before_is_taken_where_the_newest_is_damaged(data: Data, path: Path, damage: str) -> None:
    whole = run(fastmlp.Network, data, 20)
    run(fastmlp.Network, data, 10, callbacks=[Checkpoint(path)])
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        damaged = DAMAGES[damage](content)
        assert damaged != content
        path.write_bytes(damaged)
    assert checkpoints.read(path)["epoch"] == 9
    assert run(fastmlp.Network, data, 20, resume=path) == whole
    os.unlink(f"{path}.previous")
    error = FileNotFoundError if damage == "missing" else ValueError
    with pytest.raises(error, match=r"run\.checkpoint"):
        checkpoints.read(path)


def test_a_damaged_file_does_not_take_the_place_of_a_whole_one(data: Data, path: Path) -> None:
    run(fastmlp.Network, data, 10, callbacks=[Checkpoint(path)])
    path.write_bytes(path.read_bytes()[:-1])
    epochs = []

    class Watcher:
        comes_last = True

        def on_epoch_end(self, state: Any) -> None:
            previous = checkpoints.read(f"{path}.previous")
            epochs.append((checkpoints.read(path)["epoch"], previous["epoch"]))

    run(fastmlp.Network, data, 12, resume=path, callbacks=[Checkpoint(path), Watcher()])
    assert epochs == [(10, 9), (11, 10), (12, 11)]


@pytest.mark.parametrize("codec", [fastmlp.tensors, tensors])
def test_headers_that_lie_are_refused(data: Data, path: Path, codec: Any) -> None:
    run(fastmlp.Network, data, 1, callbacks=[Checkpoint(path)])
    content = path.read_bytes()
    for lie in (
        {"shape": [2**62, 4]},
        {"shape": [-1, -21]},
        {"data_offsets": [0, 2**40]},
        {"data_offsets": [4, 4]},
        {"dtype": "F16"},
        {"dtype": ["F32"]},
        {"shape": "F32"},
    ):
        rewrite(path, lambda header, lie=lie: header["parameters"].update(lie))
        with pytest.raises(ValueError, match=r"run\.checkpoint: "):
            checkpoints.read(path, codec)
        path.write_bytes(content)
    rewrite(path, lambda header: header["__metadata__"].update(tree=[]))
    with pytest.raises(ValueError, match="it holds no tree"):
        checkpoints.read(path, codec)


@pytest.mark.parametrize("codec", [fastmlp.tensors, tensors])
def test_every_prefix_is_refused(data: Data, path: Path, codec: Any) -> None:
    run(fastmlp.Network, data, 1, callbacks=[Checkpoint(path)])
    content = path.read_bytes()
    for n in range(0, len(content), 3):
        path.write_bytes(content[:n])
        with pytest.raises(ValueError, match=r"run\.checkpoint: "):
            checkpoints.read(path, codec)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_checkpoints_of_every_version_go_on(backend: Any, version: int) -> None:
    golden = Path(__file__).with_name("data") / f"models-{version}" / "run.checkpoint"
    X = np.linspace(-1, 1, 30, dtype="f4").reshape(15, 2)
    arguments = {"batch_size": 4, "optimizer": Adam(0.01), "random_state": 0}
    whole, resumed = (backend([2, 3, 1], random_state=0) for _ in range(2))
    whole.train(X, X[:, 0] * X[:, 1], epochs=8, **copy.deepcopy(arguments))
    history = resumed.train(X, X[:, 0] * X[:, 1], epochs=8, resume=golden, **copy.deepcopy(arguments))
    assert len(history.loss) == 8
    np.testing.assert_allclose(resumed.parameters, whole.parameters, rtol=1e-4)


OTHER_RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "batch size": ({"batch_size": 5}, "its batch size is 7, and here it is 5"),
    "optimizer": ({"optimizer": SGD(0.01)}, "its optimizer is 'Adam', and here it is 'SGD'"),
    "numbers": ({"optimizer": Adam(0.02)}, "its optimizer's learning_rate is 0.01, and here it is 0.02"),
    "dropout": ({"dropout": 0.5}, "its dropout is"),
    "shuffle": ({"shuffle": False}, "its shuffling is True, and here it is False"),
    "generator": (
        {"random_state": np.random.Generator(np.random.MT19937(0))},
        "its bit generator is 'PCG64', and here it is 'MT19937'",
    ),
    "held out": ({"validation_data": 0.2}, "its number of rows held out is 0, and here it is 6"),
    "metrics": ({"metrics": ["r2"]}, r"its metrics is \[\], and here it is \['r2'\]"),
    "callbacks": ({"callbacks": [EarlyStopping(monitor="loss")]}, "its callbacks with a state is"),
}


@pytest.mark.parametrize("other", OTHER_RUNS)
def test_another_runs_checkpoint_is_refused_and_changes_nothing(
    backend: Any, data: Data, path: Path, other: str
) -> None:
    run(backend, data, 10, callbacks=[Checkpoint(path)])
    arguments, message = OTHER_RUNS[other]
    net, rng = backend([2, 5, 1], random_state=1), np.random.default_rng(9)
    arguments = {"batch_size": 7, "random_state": rng, "optimizer": Adam(0.01), **copy.deepcopy(arguments)}
    before, optimizer = net.parameters.copy(), copy.deepcopy(arguments["optimizer"])
    with pytest.raises(ValueError, match=f"run.checkpoint: the checkpoint of another run: {message}"):
        net.train(*data, epochs=20, resume=path, **arguments)
    assert np.array_equal(net.parameters, before)
    assert arguments["optimizer"] == optimizer
    assert rng.random() == np.random.default_rng(9).random()


def test_what_differs_is_told_to_programs_and_through_processes(data: Data, path: Path) -> None:
    run(fastmlp.Network, data, 2, callbacks=[Checkpoint(path)])
    with pytest.raises(checkpoints.AnotherRunError) as caught:
        run(fastmlp.Network, data, 4, resume=path, batch_size=5)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.path, error.what, error.theirs, error.ours) == (str(path), "batch size", 7, 5)
    assert str(error) == str(caught.value)


BROKEN: dict[str, Any] = {
    "a name that histories have not": lambda tree: tree["history"].update(curves=7),
    "a reason that is no text": lambda tree: tree["history"].update(stop_reason=7),
    "a curve that is too short": lambda tree: tree["history"].update(loss=[1.0]),
    "a curve of texts": lambda tree: tree["history"].update(loss=["1.0"] * 3),
    "a state of another generator": lambda tree: tree["random_state"].update(bit_generator="MT19937"),
    "a state beyond 128 bits": lambda tree: tree["random_state"]["state"].update(state=10**80),
    "no run": lambda tree: tree.pop("of"),
    "an epoch that is none": lambda tree: tree.update(epoch={"number beyond JSON": "inf"}),
    "steps that are none": lambda tree: tree["optimizer"].update(steps=-1),
    "a number that is none": lambda tree: tree["numbers"].update(beta_1={"number beyond JSON": "nan"}),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_what_does_not_fit_is_refused_and_changes_nothing(data: Data, path: Path, change: Any) -> None:
    run(fastmlp.Network, data, 3, callbacks=[Checkpoint(path)])
    rewrite(path, lambda header: change(header["__metadata__"]["tree"]))
    net, optimizer, rng = fastmlp.Network([2, 5, 1], random_state=1), Adam(0.01), np.random.default_rng(9)
    before = net.parameters.copy()
    with pytest.raises(ValueError, match=r"run\.checkpoint: "):
        net.train(*data, epochs=9, batch_size=7, resume=path, random_state=rng, optimizer=optimizer)
    assert np.array_equal(net.parameters, before)
    assert optimizer == Adam(0.01)
    assert rng.random() == np.random.default_rng(9).random()


def test_another_network_or_data_is_refused(backend: Any, data: Data, path: Path) -> None:
    X, Y = data
    run(backend, data, 10, callbacks=[Checkpoint(path)])
    arguments: dict[str, Any] = {"epochs": 20, "batch_size": 7, "optimizer": Adam(0.01), "resume": path}
    for sizes, keywords, rows, message in (
        ([2, 6, 1], {}, 30, r"its layer sizes is \[2, 5, 1\], and here it is \[2, 6, 1\]"),
        ([2, 5, 1], {"activation": "relu"}, 30, "its activations"),
        ([2, 5, 1], {"dtype": "float64"}, 30, "its dtype is 'float32', and here it is 'float64'"),
        ([2, 5, 1], {}, 29, "its number of rows is 30, and here it is 29"),
    ):
        with pytest.raises(ValueError, match=message):
            backend(sizes, **keywords).train(X[:rows], Y[:rows], **arguments)


@pytest.mark.parametrize("fails", ["fsync", "write"])
def test_a_full_disk_leaves_the_last_checkpoint(
    backend: Any, data: Data, path: Path, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    class Filler:
        def on_epoch_end(self, state: Any) -> None:
            if state.epoch == 6:
                if fails == "fsync":
                    monkeypatch.setattr(os, "fsync", full)
                else:
                    monkeypatch.setattr(atomic, "open", full, raising=False)

    net, optimizer = backend([2, 5, 1], random_state=0), Adam(0.01)
    arguments: dict[str, Any] = {"batch_size": 7, "optimizer": optimizer, "random_state": 3}
    with pytest.raises(OSError, match=r"No space left on device: this checkpoint was not written.*run\.checkpoint"):
        net.train(*data, epochs=20, callbacks=[Filler(), Checkpoint(path)], **arguments)
    monkeypatch.undo()
    assert sorted(os.listdir(path.parent)) == ["run.checkpoint", "run.checkpoint.previous"]
    assert checkpoints.read(path)["epoch"] == 5
    assert optimizer.steps == 6 * 5  # the network is that of the last epoch
    assert run(backend, data, 20, resume=path) == run(backend, data, 20)
