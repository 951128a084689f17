"""Names with parameters: what is read, and what is refused."""

from __future__ import annotations

import pytest

from fastmlp.reference import specs
from fastmlp.reference.activations import ACTIVATIONS, LeakyRelu, activation_of
from fastmlp.reference.losses import LOSSES, Huber, Quantile

KNOWN = {loss.name: loss for loss in LOSSES.values()}


@pytest.mark.parametrize("spec", ["huber(1.5)", " huber( 1.5 ) ", "huber(delta=1.5)", "huber(15e-1)"])
def test_ways_to_write_one(spec: str) -> None:
    assert specs.make(spec, KNOWN, "loss") == Huber(1.5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_names_come_back(name: str) -> None:
    assert specs.text(activation_of(name)) == name


def test_parameters_come_back_in_few_digits() -> None:
    assert specs.text(LeakyRelu(0.2)) == "leaky_relu(0.2)"
    assert specs.text(LeakyRelu(1 / 3)) == "leaky_relu(0.3333333333333333)"
    assert activation_of(specs.text(LeakyRelu(1 / 3))) == LeakyRelu(1 / 3)
    assert specs.text(LeakyRelu(0.01)) == "leaky_relu"
    assert specs.text(Quantile(0.1, 0.9)) == "quantile(0.1, 0.9)"


BAD = [
    ("huber(1)(2)", "after a name come numbers"),
    ("huber(delta=1, delta=2)", "after a name come numbers"),
    ("huber(+1.5)", "after a name come numbers"),
    ("huber(1 + 1)", "after a name come numbers"),
    ("huber('1')", "after a name come numbers"),
    ("huber(True)", "after a name come numbers"),
    ("huber(*[1])", "after a name come numbers"),
    ("huber(1", "unknown loss"),
    ("huber(nan)", "after a name come numbers"),
    ("huber(1e999)", "delta must lie in"),
    ("huber(alpha=1)", "its parameters are delta"),
    ("quantile(levels=0.5)", "numbers without names"),
    ("huber(" + "-" * 20000 + "1)", "unknown loss"),
    ("huber(" + "-" * 400 + "1)", "after a name come numbers"),
    ("", "unknown loss"),
]


@pytest.mark.parametrize(("spec", "message"), BAD, ids=lambda text: text[:30])
def test_what_is_no_spec_is_refused(spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        specs.make(spec, KNOWN, "loss")
