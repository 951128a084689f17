"""Processes that are killed, or may write no more, leave a checkpoint that a run goes on from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastmlp.reference import checkpoints

KILLED = """
import os, random, signal, sys, time
import numpy as np
import fastmlp
from fastmlp.reference import checkpoints

path, kills = sys.argv[1], int(sys.argv[2])
X = np.random.default_rng(0).standard_normal((60, 3)).astype("f4")
Y = np.sin(X.sum(axis=1, keepdims=True))

def train(**arguments):
    net, optimizer = fastmlp.Network([3, 8, 1], random_state=0), fastmlp.Adam(0.01)
    net.train(X, Y, epochs=8, batch_size=7, optimizer=optimizer, random_state=1, n_threads=1, **arguments)
    return net.parameters.tobytes()

def remove():
    for name in (path, path + ".previous"):
        if os.path.exists(name):
            os.unlink(name)

def resumable():
    return any(map(os.path.exists, (path, path + ".previous")))

whole = train()
start = time.perf_counter()
train(callbacks=[fastmlp.Checkpoint(path)])
longest = time.perf_counter() - start
remove()
rng, killed, ends, epochs = random.Random(0), 0, 0, set()
while killed < kills or resumable() or not ends:
    had = resumable()
    child = os.fork()
    if child == 0:
        try:
            end = train(callbacks=[fastmlp.Checkpoint(path)], resume=path if had else None)
            os._exit(0 if end == whole else 1)
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(2)
    if killed < kills:
        time.sleep(rng.uniform(0, 0.6 * longest))
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        killed += 1
        longest *= 1.1  # until runs that are let live end about as often as not, whatever else the machine does
        assert resumable() or not had
        if resumable():
            epochs.add(checkpoints.read(path)["epoch"])
    else:
        assert os.WEXITSTATUS(status) == 0, status
        ends += 1
        longest *= 0.6
        assert checkpoints.read(path)["epoch"] == 8
        remove()
leftover = set(os.listdir(os.path.dirname(path)))
print(killed, ends, len(epochs), sorted(leftover - {os.path.basename(path) + ".tmp"}))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are what makes it quick")
def test_a_run_that_is_killed_at_any_moment_can_go_on(tmp_path: Path) -> None:
    kills = int(os.environ.get("FASTMLP_TEST_KILLS", "200"))
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path / "run.checkpoint"), str(kills)]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    assert ran.returncode == 0, ran.stderr
    killed, ends, epochs, leftover = ran.stdout.split(maxsplit=3)
    assert int(killed) == kills
    assert int(ends) > 0
    assert int(epochs) > min(4, kills // 10)
    assert leftover == "[]\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a process's file sizes")
def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    script = f"""
import resource, signal
import numpy as np
import fastmlp
class Limit:
    def on_epoch_end(self, state):
        if state.epoch == 4:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    fastmlp.Network([2, 50, 1]).train(np.ones((9, 2)), np.ones(9), epochs=9,
        callbacks=[Limit(), fastmlp.Checkpoint({str(path)!r})])
except OSError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "File too large: this checkpoint was not written, and the last one is as it was" in ran.stdout
    assert checkpoints.read(path)["epoch"] == 3
