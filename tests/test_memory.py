"""What the core takes: nothing after a run's first step, no copy of the data, a bounded multiple of the parameters."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="uses glibc's allocator and Linux's /proc"
)

COUNTER = """
#include <stddef.h>
#define COUNTED(type, name, arguments, values) \\
  extern type __libc_##name arguments;         \\
  type name arguments {                        \\
    __atomic_add_fetch(&allocations, 1, 5);    \\
    return __libc_##name values;               \\
  }
unsigned long allocations;
COUNTED(void*, malloc, (size_t n), (n))
COUNTED(void*, calloc, (size_t n, size_t size), (n, size))
COUNTED(void*, realloc, (void* memory, size_t n), (memory, n))
COUNTED(void*, memalign, (size_t alignment, size_t n), (alignment, n))
void* aligned_alloc(size_t alignment, size_t n) { return memalign(alignment, n); }
"""


def run_python(script: str, **environment: str) -> str:
    """Return what a new interpreter prints."""
    command = [sys.executable, "-c", textwrap.dedent(script)]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that counts the calls of the allocator of the process that it is loaded into."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("counter") / "counter.so"
    command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(command, input=COUNTER, text=True, check=True)
    return library


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(
    ("sizes", "batch_size"),
    [
        ([100, 300, 10], 28),
        ([100, 300, 10], 400),
        ([20, 64, 64, 1], 200),
        ([1, 4, 4, 1], 16),
        ([1, 4, 4, 1], 2000),
        ([13, 32, 1], 1),
        ([13, 32, 1], 7),
    ],
    ids=["rows", "rows in blocks", "groups", "columns", "columns in blocks", "few: one row", "few: seven rows"],
)
def test_a_run_allocates_nothing_after_its_first_step(
    counter: Path, sizes: list[int], batch_size: int, n_threads: int
) -> None:
    script = f"""
        import ctypes, time, numpy as np, fastmlp
        allocations = ctypes.c_ulong.in_dll(ctypes.CDLL({str(counter)!r}), "allocations")
        X = np.ones((800 * {batch_size}, {sizes[0]}), np.float32)
        Y = np.ones((800 * {batch_size}, {sizes[-1]}), np.float32)
        def count(batches):
            net = fastmlp.Network({sizes}, random_state=0)
            before = allocations.value
            rows = batches * {batch_size}
            net.train(X[:rows], Y[:rows], epochs=1, batch_size={batch_size}, shuffle=False, n_threads={n_threads})
            return allocations.value - before
        count(4)
        few, start = min(count(200) for _ in range(3)), time.perf_counter()
        many = min(count(800) for _ in range(3))
        print(few, many, round(100 * (time.perf_counter() - start)))
    """
    few, many, looks = map(int, run_python(script, LD_PRELOAD=str(counter)).split())
    # Both runs are so long that they get the same threads. Being interruptible, a longer one enters Python every
    # 10 ms: a few objects each time.
    assert 0 < few <= many <= few + 20 + 2 * looks


# Notes the peak of the process's own memory from `before` on.
WATCH = """
        import threading, numpy as np, fastmlp
        def resident():
            lines = open("/proc/self/status").read().splitlines()
            return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) * 1024
        peak, over = 0, threading.Event()
        def watch():
            global peak
            while not over.wait(0.002):
                peak = max(peak, resident())
        thread = threading.Thread(target=watch)
"""


def test_data_larger_than_memory_should_hold_is_not_copied(tmp_path: Path) -> None:
    rows, features = 2**21, 128
    with open(tmp_path / "X", "wb") as file:
        file.truncate(rows * features * 4)  # a gigabyte of zeros that takes no place on the disk
    script = f"""{WATCH}
        X = np.memmap({str(tmp_path / "X")!r}, np.float32, "r", shape=({rows}, {features}))
        Y = np.zeros(({rows}, 1), np.float32)
        net = fastmlp.Network([{features}, 32, 1], random_state=0)
        before = resident()
        thread.start()
        net.train(X, Y, epochs=1, batch_size=4096, validation_data=(X[:100_000], Y[:100_000]))
        net.predict(X[:1_000_000])
        over.set()
        thread.join()
        print(peak - before, net.parameters.nbytes)
    """
    grown, parameters = map(int, run_python(script).split())
    assert grown <= 3 * parameters + 2 * parameters + 64 * 2**20


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_large_network_takes_three_times_its_parameters_and_its_slots(n_threads: int) -> None:
    script = f"""{WATCH}
        X, Y = np.zeros((256, 2000), np.float32), np.zeros((256, 10), np.float32)
        before = resident()
        net = fastmlp.Network([2000, 4000, 3000, 10], "relu", random_state=0)
        optimizer = fastmlp.Adam()
        thread.start()
        for _ in range(2):
            net.train(X, Y, epochs=1, batch_size=128, optimizer=optimizer, n_threads={n_threads})
        over.set()
        thread.join()
        print(peak - before, net.parameters.nbytes, sum(slot.nbytes for slot in optimizer.slots))
    """
    grown, parameters, slots = map(int, run_python(script).split())
    assert parameters > 64 * 2**20
    assert grown <= 3 * parameters + slots + 64 * 2**20


def test_no_copy_of_a_large_network_is_kept_in_case_its_inputs_are_bad(tmp_path: Path) -> None:
    rows, features = 512, 2**19
    with open(tmp_path / "X", "wb") as file:
        file.truncate(rows * features * 4)
    script = f"""{WATCH}
        X = np.asarray(np.memmap({str(tmp_path / "X")!r}, np.float32, "r", shape=({rows}, {features})))
        Y = np.zeros(({rows}, 16), np.float32)
        net = fastmlp.Network([{features}, 16], random_state=0)
        optimizer = fastmlp.Adam()
        net.train(X[:1], Y[:1], epochs=1, optimizer=optimizer, shuffle=False)  # checks it, once and for all
        before = resident()
        thread.start()
        net.train(X, Y, epochs=1, batch_size=16, optimizer=optimizer, shuffle=False)
        over.set()
        thread.join()
        print(peak - before, net.parameters.nbytes)
    """
    grown, parameters = map(int, run_python(script).split())
    assert grown <= 2 * parameters + 64 * 2**20  # the parameters and the slots are there before


def test_a_sparse_matrix_is_never_dense_as_a_whole() -> None:
    pytest.importorskip("scipy.sparse")
    rows, features, kept = 200_000, 5_000, 10
    script = f"""{WATCH}
        from scipy import sparse
        rng = np.random.default_rng(0)
        columns = rng.integers({features // kept}, size=({rows}, {kept})) + {features // kept} * np.arange({kept})
        values, ends = rng.standard_normal({rows * kept}), {kept} * np.arange({rows} + 1)
        X = sparse.csr_array((values, columns.ravel(), ends), shape=({rows}, {features}))
        Y = np.zeros(({rows}, 1), np.float32)
        net = fastmlp.Network([{features}, 8, 1], random_state=0)
        net.predict(X[:10])
        before = resident()
        thread.start()
        net.train(X, Y, epochs=1, batch_size=1000, validation_data=0.1)
        net.predict(X)
        over.set()
        thread.join()
        print(peak - before, X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)
    """
    grown, matrix = map(int, run_python(script).split())
    # The matrix in float32, the rows of it that are trained on and those held out, and 4 GB of it never.
    assert grown <= 3 * matrix + 64 * 2**20
