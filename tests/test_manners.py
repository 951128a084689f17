"""What the core does to the process that it runs in: threads, forks, arithmetic, limits of the system."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import _core
from fastmlp.reference.optimizers import SGD

linux = pytest.mark.skipif(sys.platform != "linux", reason="read from Linux's /proc")


def forks(test: Any) -> Any:
    """Mark a test that forks: not for every system, and Python warns of it where other threads live."""
    test = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")(test)
    return pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")(test)


@pytest.mark.parametrize("sizes", [[3, 20, 2], [20, 64, 64, 1], [784, 128, 10], [3, 300, 300, 2]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_any_number_of_threads(simd: str, sizes: list[int], dtype: str, rng: np.random.Generator) -> None:
    # Work enough that threads are started, and steps long enough that they are used.
    n = 60_000_000 // (sizes[0] * sizes[1] + sizes[1] * sizes[2])
    X, Y = rng.standard_normal((n, sizes[0])), rng.standard_normal((n, sizes[-1]))
    ends = []
    for n_threads in (1, 2, 3, 4, 8, None):
        net = fastmlp.Network(sizes, "tanh", dtype=dtype, random_state=0)
        history = net.train(X, Y, epochs=2, batch_size=n // 2 + 1, n_threads=n_threads, random_state=0)
        ends.append((net.parameters.tobytes(), history.loss, net.predict(X, n_threads=n_threads).tobytes()))
    assert all(end == ends[0] for end in ends)


def test_same_bits_where_threads_share_a_small_batch_of_columns(simd: str, rng: np.random.Generator) -> None:
    sizes, batch_size = [10, *[33] * 7, 10], 128
    assert fastmlp.Network(sizes, "tanh", random_state=0)._core.kind_of_steps(batch_size, False) == "columns"
    X, Y = rng.standard_normal((40 * batch_size + 70, 10)), rng.standard_normal((40 * batch_size + 70, 10))
    ends = set()
    for n_threads in (1, 2, 3, 8):
        net = fastmlp.Network(sizes, "tanh", random_state=0)
        net.train(X, Y, epochs=2, batch_size=batch_size, n_threads=n_threads, random_state=0)
        ends.add(net.parameters.tobytes())
    assert len(ends) == 1


def test_same_bits_where_threads_share_wide_layers_by_columns(simd: str, rng: np.random.Generator) -> None:
    # Activations whose derivatives need the net input, and layers at whose edges panels are not full.
    X, Y = rng.standard_normal((1530, 20)), rng.standard_normal((1530, 3))
    ends = set()
    for n_threads in (1, 2, 3, 8):
        net = fastmlp.Network([20, 300, 290, 310, 3], "silu", random_state=0)
        net.train(X, Y, epochs=2, batch_size=100, optimizer=fastmlp.Adam(), n_threads=n_threads, random_state=0)
        ends.add(net.parameters.tobytes())
    assert len(ends) == 1


def test_a_rows_prediction_does_not_depend_on_its_batch(simd: str, rng: np.random.Generator) -> None:
    for sizes in ([20, 64, 64, 1], [5, 33, 3], [100, 300, 10]):
        net = fastmlp.Network(sizes, random_state=0)
        X = rng.standard_normal((500, sizes[0]))
        whole = net.predict(X)
        for rows in (slice(0, 1), slice(7, 8), slice(3, 30), slice(1, 65), slice(100, 499)):
            assert np.array_equal(net.predict(X[rows]), whole[rows])


def test_many_threads_may_predict_at_once(rng: np.random.Generator) -> None:
    net = fastmlp.Network([20, 64, 64, 1], random_state=0)
    X = rng.standard_normal((300, 20))
    expected = net.predict(X)
    wrong = []

    def work() -> None:
        wrong.extend(i for i in range(50) if not np.array_equal(net.predict(X), expected))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_training_one_network_in_two_threads_is_refused(rng: np.random.Generator) -> None:
    net = fastmlp.Network([2, 8, 1], random_state=0)
    X, Y = rng.standard_normal((50, 2)), rng.standard_normal((50, 1))
    began, release = threading.Event(), threading.Event()

    class Holder:
        def on_train_begin(self, state: Any) -> None:
            began.set()
            release.wait(10)

    thread = threading.Thread(target=lambda: net.train(X, Y, epochs=1, callbacks=[Holder()]))
    thread.start()
    began.wait(10)
    with pytest.raises(RuntimeError, match="being trained by another thread"):
        net.train(X, Y, epochs=1)
    release.set()
    thread.join()
    net.train(X, Y, epochs=1)


@forks
def test_both_sides_of_a_fork_train_on(rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((400, 100)), rng.standard_normal((400, 100))
    net = fastmlp.Network([100, 200, 100], random_state=0)

    def train() -> bytes:
        net.train(X, Y, epochs=1, batch_size=200, n_threads=2, random_state=0)
        return net.parameters.tobytes()

    for _ in range(100):
        train()
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write_end, hashlib.sha256(train()).digest())
            os._exit(0)
        expected = hashlib.sha256(train()).digest()
        assert os.waitpid(child, 0)[1] == 0
        assert os.read(read_end, 100) == expected
        os.close(read_end)
        os.close(write_end)


@forks
def test_a_fork_while_another_thread_trains(rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((400, 100)), rng.standard_normal((400, 100))

    def train(epochs: int) -> None:
        fastmlp.Network([100, 200, 100], random_state=0).train(X, Y, epochs=epochs, batch_size=200, n_threads=2)

    thread = threading.Thread(target=train, args=[300])
    thread.start()
    children = []
    while thread.is_alive() and len(children) < 20:
        child = os.fork()
        if child == 0:
            train(2)
            os._exit(0)
        children.append(child)
        time.sleep(0.005)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)
    thread.join()


def denormals_are_numbers() -> bool:
    return bool((np.full(1000, 1e-40, np.float32) * np.float32(0.5)).all())


def test_callers_and_callbacks_arithmetic_stays_as_it_is(rng: np.random.Generator) -> None:
    seen = []

    class Calculator:
        def on_epoch_end(self, state: Any) -> None:
            seen.append(denormals_are_numbers())

    net = fastmlp.Network([50, 200, 10], random_state=0)
    X, Y = rng.standard_normal((2000, 50)), rng.standard_normal((2000, 10))
    net.train(X, Y, epochs=2, batch_size=500, callbacks=[Calculator()], n_threads=2)
    net.predict(X)
    assert seen == [True, True]
    assert denormals_are_numbers()


@linux
@pytest.mark.skipif(platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc", reason="glibc's fenv_t")
def test_floating_point_control_is_the_same_before_and_after() -> None:
    script = """
        import ctypes, numpy as np
        def control():  # The last word of the environment is MXCSR; its low six bits are flags that any sum may raise.
            environment = (ctypes.c_uint32 * 8)()
            assert ctypes.CDLL("libm.so.6").fegetenv(environment) == 0
            return environment[7] & ~0x3F
        seen = [control()]
        import fastmlp
        seen.append(control())
        net = fastmlp.Network([50, 200, 10], random_state=0)
        X = np.ones((2000, 50)); Y = np.ones((2000, 10))
        net.train(X, Y, epochs=2, batch_size=500, n_threads=2)
        seen.append(control())
        net.train(X[:5], Y[:5], epochs=2, n_threads=1)
        seen.append(control())
        net.predict(X, n_threads=2)
        net.predict(X[:1])
        seen.append(control())
        print(*seen)
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert set(ran.stdout.split()) == {str(0x1F80)}  # all exceptions masked, to nearest, denormals kept


def test_weights_below_the_normal_range_do_not_slow_training_down(rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((2000, 64)), np.zeros((2000, 64))
    seconds = {}
    for scale in (1e-3, 1e-41):
        net = fastmlp.Network([64, 64, 64], "linear", random_state=0)
        net.parameters[:] *= np.float32(scale)
        times = []
        for _ in range(7):
            times.append(net.train(X, Y, epochs=2, batch_size=50, optimizer=SGD(1e-30), n_threads=1).seconds)
        seconds[scale] = min(times)
    assert seconds[1e-41] < 1.5 * seconds[1e-3]


@forks
def test_a_callback_may_fork(rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((400, 100)), rng.standard_normal((400, 100))
    net = fastmlp.Network([100, 200, 100], random_state=0)

    class Forker:
        def on_epoch_end(self, state: Any) -> None:
            if os.fork() == 0:
                fastmlp.Network([100, 200, 100], random_state=0).train(X, Y, epochs=2, batch_size=200, n_threads=2)
                os._exit(0)

    net.train(X, Y, epochs=100, batch_size=200, n_threads=2, callbacks=[Forker()])
    assert [os.wait()[1] for _ in range(100)] == [0] * 100


def test_other_python_threads_run_during_training(rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((2000, 100)), rng.standard_normal((2000, 100))
    net = fastmlp.Network([100, 300, 100], random_state=0)
    thread = threading.Thread(target=lambda: net.train(X, Y, epochs=40, batch_size=2000, n_threads=1))
    thread.start()
    begin, last, longest = time.perf_counter(), time.perf_counter(), 0.0
    while thread.is_alive():
        time.sleep(0.001)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    assert longest < 0.5 * (last - begin)  # Holding the lock, one call would be one gap.


@linux
def test_workers_die_with_their_call(rng: np.random.Generator) -> None:
    X, Y = rng.standard_normal((20_000, 50)), rng.standard_normal((20_000, 10))
    net = fastmlp.Network([50, 200, 10], random_state=0)
    during = []

    class Counter:
        def on_epoch_end(self, state: Any) -> None:
            during.append(len(os.listdir("/proc/self/task")))

    before = len(os.listdir("/proc/self/task"))
    net.train(X, Y, epochs=2, n_threads=32)  # Threads that wait for processors must not discourage those that don't.
    net.train(X, Y, epochs=2, n_threads=4, callbacks=[Counter()])
    net.predict(X, n_threads=4)
    assert max(during) > before
    assert len(os.listdir("/proc/self/task")) == before


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


@pytest.mark.parametrize(
    ("cgroup", "files", "processors"),
    [
        ("0::/\n", {}, math.inf),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/cpu.max": "max 100000\n", "a/b/cpu.max": "max 100000\n"}, math.inf),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "max 100000\n"}, 2),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "50000 100000\n"}, 0.5),
        ("0::/not/there\n", {"cpu.max": "300000 100000\n"}, 3),
        ("3:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, math.inf),
        ("3:cpu,cpuacct:/a/b\n", {"cpu/a/cpu.cfs_quota_us": "400000", "cpu/a/cpu.cfs_period_us": "100000"}, 4),
        ("3:cpuset:/a\n", {"cpu/a/cpu.cfs_quota_us": "400000", "cpu/a/cpu.cfs_period_us": "100000"}, math.inf),
        ("no colons", {"cpu.max": "words"}, math.inf),
    ],
)
def test_the_smallest_quota_of_the_cgroups_counts(
    tmp_path: Path, cgroup: str, files: dict[str, str], processors: float
) -> None:
    write(tmp_path, "proc/self/cgroup", cgroup)
    for name, text in files.items():
        write(tmp_path, f"sys/fs/cgroup/{name}", text)
    assert _core.cgroup_quota(str(tmp_path)) == processors


def test_a_system_without_cgroups_sets_no_quota(tmp_path: Path) -> None:
    assert _core.cgroup_quota(str(tmp_path)) == math.inf
