"""Ctrl-C is answered soon, wherever the core is at work, and leaves a usable network."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from conftest import seconds_to_stop

INTERRUPTED_OTHERS = """
import time
import numpy as np
import fastmlp
net = fastmlp.Network([64, 256, 256, 1], random_state=0)
X = np.random.default_rng(0).standard_normal((400_000, 64), np.float32)
Y = np.zeros((len(X), 1), np.float32)
print("ready", flush=True)
try:
    while True:
        {call}
except KeyboardInterrupt:
    print(time.time(), flush=True)
net.train(X[:9], Y[:9], epochs=1)
print("usable", flush=True)
"""
CALLS = {
    "validation": "net.train(X[:9], Y[:9], epochs=10**9, validation_data=(X, Y))",
    "predict": "net.predict(X)",
    "loss": "net.loss(X, Y)",
    "gradients": "net.gradients(X, Y)",
}


INTERRUPTED = """
import sys, time
import numpy as np
import fastmlp
sizes, n, batch_size, progress = {arguments}
net = fastmlp.Network(sizes, random_state=0)
rng = np.random.default_rng(0)
X, Y = rng.standard_normal((n, sizes[0])).astype("f4"), rng.standard_normal((n, sizes[-1])).astype("f4")
optimizer = fastmlp.Adam()
print("ready", flush=True)
try:
    net.train(X, Y, epochs=10**9, batch_size=batch_size, optimizer=optimizer, progress=progress)
except KeyboardInterrupt:
    print(time.time(), flush=True)
assert np.isfinite(net.predict(X[:10])).all()
assert optimizer.steps > 0 or batch_size is None
net.train(X[:9], Y[:9], epochs=1)
print("usable", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
@pytest.mark.parametrize(
    "arguments",
    [([1, 4, 1], 5, None, False), ([20, 64, 64, 1], 1000, 32, True), ([500, 2000, 2000, 10], 20_000, None, False)],
    ids=["tiny", "small", "large full batch"],
)
def test_ctrl_c_returns_within_a_tenth_of_a_second(arguments: tuple[Any, ...]) -> None:
    # A busy machine may keep the process waiting: one quick answer of three shows what the code does.
    assert any(seconds_to_stop(INTERRUPTED.format(arguments=arguments)) < 0.1 for _ in range(3))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_is_answered_everywhere(call: str) -> None:
    assert any(seconds_to_stop(INTERRUPTED_OTHERS.format(call=CALLS[call])) < 0.1 for _ in range(3))
