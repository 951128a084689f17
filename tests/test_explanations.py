"""Explanations of a step: every number can be checked by those before it, in every format."""

from __future__ import annotations

import pickle
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import LOSS_CASES, make_network, targets_for
from explained import MATRIX, Checker, Equation, equations, sections
from hypothesis import given, settings
from hypothesis import strategies as st

import fastmlp
from fastmlp import reference
from fastmlp.reference.activations import ACTIVATIONS
from fastmlp.reference.arrays import Array
from fastmlp.reference.links import LINKS
from fastmlp.reference.losses import LOSSES

DIGITS = 7


def assert_holds(text: str, digits: int = DIGITS) -> list[Equation]:
    """Check every equation of an explanation by the numbers that it prints."""
    checker = Checker(digits)
    read = sections(text)
    for found in read.values():
        checker.definitions, checker.parts = dict(checker.definitions), {}
        for equation in found:
            checker.check(equation)
    assert checker.n_checked >= len(read)
    return [equation for found in read.values() for equation in found]


def step(
    loss: Any = "squared_error",
    output: str = "linear",
    repeat: int = 1,
    n: int = 3,
    kind: Any = fastmlp.Network,
    **how: Any,
) -> Any:
    rng = np.random.default_rng(0)
    n_targets = 3 if output == "softmax" else 2
    net = make_network(kind, [2, 3, n_targets * repeat], output=output, **how)
    return net.trace(rng.standard_normal((n, 2)), targets_for(output, n, n_targets, rng), loss)


def cubic(Y_hat: Array, Y: Array) -> tuple[Array, Array]:
    residual = np.abs(Y_hat - Y)
    return (residual**3 / 3).sum(axis=1), residual**2 * np.sign(Y_hat - Y)


@pytest.mark.parametrize("kind", [fastmlp.Network, reference.Network])
@pytest.mark.parametrize("case", LOSS_CASES)
def test_every_loss_is_explained_in_numbers_that_hold(case: str, kind: Any) -> None:
    loss, output, repeat = LOSS_CASES[case]
    assert_holds(step(loss, output, repeat, kind=kind).explain(digits=DIGITS, learning_rate=0.1))


def test_the_cases_are_all_losses_that_there_are() -> None:
    links = {(loss.split("(")[0], output) for loss, output, _ in LOSS_CASES.values()}
    for loss in LOSSES.values():
        assert any(name == loss.name and loss.link in (None, output) for name, output in links), loss.key()


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.3)", "elu(2)"])
def test_every_activation_is_explained_in_numbers_that_hold(activation: str) -> None:
    rng = np.random.default_rng(1)
    net = make_network(fastmlp.Network, [2, 4, 3, 2], activation, activation)
    trace = net.trace(rng.standard_normal((3, 2)), rng.standard_normal((3, 2)))
    assert_holds(trace.explain(digits=DIGITS, learning_rate=0.5))


@pytest.mark.parametrize("output", ["linear", *LINKS])
def test_a_loss_of_ones_own_is_explained_as_far_as_it_is_known(output: str) -> None:
    text = step(cubic, output).explain(digits=DIGITS)
    assert_holds(text)
    assert "a function of your own" in text


def test_a_wrong_number_would_be_found() -> None:
    """The reader that these tests rely on does look: it fails for any digit that is changed."""
    net = fastmlp.Network.from_parameters([[[0.3, -0.5], [-1.0, 0.7]], [[0.2], [0.4]]], [[-0.3, 0.1], [0.2]], "tanh")
    text = net.trace([[1.0, 2.0]], [[1.0]]).explain(digits=DIGITS, learning_rate=0.1)
    assert_holds(text)
    numbers = sorted({m[0] for m in re.finditer(r"-?\d+\.\d{3,}", text)})
    assert len(numbers) > 15
    for wrong in numbers:
        changed = text.replace(wrong, wrong[:-3] + str((int(wrong[-3]) + 5) % 10) + wrong[-2:], 1)
        with pytest.raises(AssertionError):
            assert_holds(changed)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    names=st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=4, max_size=4),
    n=st.integers(1, 5),
    bias=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 1000),
)
def test_any_small_network_is_explained_in_numbers_that_hold(
    sizes: list[int], names: list[str], n: int, bias: bool, dtype: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    hidden = names[: len(sizes) - 2]
    net = fastmlp.Network(sizes, hidden, names[-1], bias=bias, dtype=dtype, random_state=seed)
    trace = net.trace(rng.uniform(-1, 1, (n, sizes[0])), rng.uniform(-1, 1, (n, sizes[-1])))
    assert_holds(trace.explain(digits=5, learning_rate=0.1), digits=5)


def test_both_kinds_of_network_are_explained_alike() -> None:
    assert step(kind=fastmlp.Network).explain() == step(kind=reference.Network).explain()


def test_the_text_of_a_step_by_hand() -> None:
    net = fastmlp.Network.from_parameters([[[0.8]], [[0.6]]], activation="linear")
    text = net.trace([[2.0]], [[1.0]]).explain(learning_rate=0.1)
    for line in (
        "     = [ 2 ] @ [ 0.8 ]",
        "     = [ 1.6 ]",
        "loss_1 = (0.96 - 1)^2 / 2",
        "       = 0.0008",
        "         = ([ -0.04 ] @ [ 0.6 ]) * [ 1 ]",
        "      = [ 0.8 ] - 0.1 * [ -0.048 ]",
        "      = [ 0.8048 ]",
    ):
        assert line in text.splitlines(), line


def test_matrices_stand_side_by_side_with_their_points_in_line() -> None:
    net = fastmlp.Network.from_parameters([[[0.5, -10.25], [1.0, 3.0]]], [[0.125, 1e-7]])
    text = net.trace([[1.0, 2.0], [-3.0, 0.5], [0.0, 1.0]]).explain()
    assert (
        """\
       [  1  2   ]   [ 0.5  -10.25 ]
     = [ -3  0.5 ] @ [ 1      3    ] + [ 0.125  1e-07 ]
       [  0  1   ]

       [  2.625  -4.25 ]
     = [ -0.875  32.25 ]
       [  1.125   3    ]"""
        in text
    )


def test_the_shapes_of_products_are_told() -> None:
    text = step().explain()
    assert re.search(r"^Z\[1\] = X @ W\[1\] \+ b\[1\] +# \(3, 2\) @ \(2, 3\) \+ \(3,\) = \(3, 3\)$", text, re.MULTILINE)
    assert re.search(r"^db\[2\] = .* +# column_sums\(\(3, 2\)\) = \(2,\)$", text, re.MULTILINE)


def test_without_targets_it_is_the_pass_forward() -> None:
    trace = make_network(fastmlp.Network, [2, 3, 1]).trace([[1.0, 2.0]])
    read = sections(trace.explain(digits=DIGITS))
    assert list(read) == ["Given", "Layer 1, forward: tanh", "Layer 2, forward: linear"]
    assert_holds(trace.explain(digits=DIGITS))


def test_the_updated_weights_are_those_that_training_gives() -> None:
    net = make_network(fastmlp.Network, [2, 3, 2])
    X, Y = np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    text = net.trace(X, Y).explain(digits=17, learning_rate=0.3)
    net.train(X, Y, epochs=1, optimizer=fastmlp.SGD(learning_rate=0.3), shuffle=False)
    updated = {e.left: e.sides[-1].matrices["m0"] for e in sections(text)["Update: one step of gradient descent"][1:]}
    for l in (1, 2):
        np.testing.assert_allclose(updated[f"W[{l}]"], net.weights[l - 1], rtol=1e-14)
        np.testing.assert_allclose(updated[f"b[{l}]"][0], net.biases[l - 1], rtol=1e-14)


def test_it_is_of_the_parameters_as_they_were() -> None:
    net = make_network(fastmlp.Network, [2, 3, 1])
    trace = net.trace([[1.0, 2.0]], [[1.0]])
    before = trace.explain()
    net.parameters[:] = 7
    assert trace.explain() == before


def test_large_matrices_are_shown_without_their_middle() -> None:
    net = make_network(fastmlp.Network, [2, 20, 9], output="sigmoid")
    trace = net.trace(np.ones((12, 2)), np.ones((12, 9)), "log_loss")
    text = trace.explain(max_size=5)
    assert "(12, 2) @ (2, 20) + (20,) = (12, 20)" in text
    assert "Of more than 5 rows or columns" in text
    assert "J = (loss_1 + loss_2 + loss_3 + \u2026 + loss_11 + loss_12) / 12" in text
    assert max(len(row.split()) for row in MATRIX.findall(text)) == 6
    assert "\u2026" not in trace.explain(max_size=20)
    assert r"\cdots" in trace.explain("markdown")
    assert "\u22ef" in trace.explain("html")


def test_numbers_of_every_size_are_written() -> None:
    net = fastmlp.Network.from_parameters([[[1e-9, 3e200]]], dtype="float64")
    trace = net.trace([[-2.5e7], [0.0]])
    assert "-7.5e+207" in trace.explain()
    assert r"-7.5 \times 10^{207}" in trace.explain("markdown")
    assert "<mn>7.5</mn><mo>\u00d7</mo><msup><mn>10</mn><mn>207</mn></msup>" in trace.explain("html")
    assert not re.search(r"-0\b(?!\.)", trace.explain())


def test_a_network_that_overflowed_is_explained_too() -> None:
    net = fastmlp.Network.from_parameters([[[1e200, -1e200]], [[1e200], [1e200]]], activation="linear")
    trace = net.trace([[1.0]], [[0.0]])
    assert "= [ nan ]" in trace.explain(learning_rate=0.1)
    assert r"\infty" in net.trace([[1e200]]).explain("markdown")
    assert "\u221e" in net.trace([[1e200]]).explain("html")
    ElementTree.fromstring(trace.explain("html"))


def test_outputs_that_round_to_certainty_have_a_loss_that_holds() -> None:
    net = fastmlp.Network.from_parameters([[[1.0]]], output_activation="sigmoid")
    text = net.trace([[40.0], [-3.0], [0.5]], [[0.0], [0.0], [1.0]], "log_loss").explain(digits=DIGITS)
    assert "loss_1 = max(40, 0) - 0 * 40 + log(1 + exp(-abs(40)))" in text
    assert "loss_3 = -log(0.6224593)" in text
    assert_holds(text)
    net = fastmlp.Network.from_parameters([[[0.0, 1.0]]], output_activation="softmax")
    text = net.trace([[300.0], [0.5]], [0, 1], "log_loss").explain(digits=DIGITS)
    assert "loss_1 = 1 * (300 - 0) + 0" in text
    assert_holds(text)
    assert "lse is" in text
    assert "lse is" not in net.trace([[0.5]], [1], "log_loss").explain()


def matrices_of_text(text: str) -> list[list[list[float]]]:
    found = equations(re.split(r"\n\n\n", text, maxsplit=1)[1])
    return [m.tolist() for equation in found for side in equation.sides for m in side.matrices.values()]


def matrices_of_markdown(text: str) -> list[list[list[float]]]:
    numbers = re.sub(r" \\times 10\^\{(-?\d+)\}", r"e\1", text)
    tables = re.findall(r"\\begin\{bmatrix\}(.*?)\\end\{bmatrix\}", numbers)
    return [[[float(number) for number in row.split("&")] for row in table.split(r"\\")] for table in tables]


def matrices_of_html(text: str) -> list[list[list[float]]]:
    def number(cell: ElementTree.Element) -> float:
        for phantom in cell.findall("mphantom"):
            cell.remove(phantom)
        return float("".join(cell.itertext()).replace("\u2212", "-").replace("\u00d710", "e"))

    tables = [table for table in ElementTree.fromstring(text).iter("mtable") if table.get("class") == "matrix"]
    return [[[number(cell) for cell in row] for row in table] for table in tables]


@pytest.mark.parametrize("case", LOSS_CASES)
def test_the_three_formats_show_the_same_numbers(case: str) -> None:
    loss, output, repeat = LOSS_CASES[case]
    trace = step(loss, output, repeat, activation="gelu_tanh")
    text, markdown, html = (trace.explain(name, learning_rate=0.1) for name in ("text", "markdown", "html"))
    expected = matrices_of_text(text)
    assert len(expected) > 20
    assert matrices_of_markdown(markdown) == expected
    assert matrices_of_html(html) == expected
    assert not re.search(r"\\mathrm\{\w*_", markdown)  # which would set what follows lower


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_latex_is_balanced(activation: str) -> None:
    for block in step(activation=activation, loss="huber").explain("markdown", learning_rate=0.1).split("$$")[1::2]:
        assert block.count("{") == block.count("}")
        assert len(re.findall(r"\\left\b", block)) == len(re.findall(r"\\right\b", block))
        for name in ("aligned", "bmatrix", "cases"):
            assert block.count(rf"\begin{{{name}}}") == block.count(rf"\end{{{name}}}")
        assert block.count(r"\begin{aligned}") == 1
        assert "_hat" not in block
        assert not re.search(r"[^\x00-\x7f]", block)


def test_a_page_of_html_needs_nothing_else() -> None:
    page = step().explain("html")
    assert page.startswith("<!DOCTYPE html>")
    assert not re.search(r"https?:|<script|<link|<img|url\(", page)
    assert "<meta name='viewport'" in page  # or a telephone would show it as a screen, reduced
    root = ElementTree.fromstring(page)
    assert root.findtext("head/title") == root.findtext("body/h1")


def test_a_notebook_shows_the_formulas() -> None:
    trace = step()
    text = trace.explain()
    assert isinstance(text, str)
    assert repr(text) == text
    assert text._repr_markdown_() == trace.explain("markdown")
    assert pickle.loads(pickle.dumps(text))._repr_markdown_() == text._repr_markdown_()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"format": "pdf"}, "unknown format 'pdf'"),
        ({"digits": 0}, "digits must be"),
        ({"digits": 18}, "digits must be"),
        ({"max_size": 1}, "max_size must be"),
        ({"learning_rate": -1.0}, "learning_rate must lie"),
    ],
)
def test_mistakes_are_told(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        step().explain(**how)


def test_what_cannot_be_explained_is_told() -> None:
    net = reference.Network([2, 1])
    X = np.ones((1, 2), np.float32)
    with pytest.raises(ValueError, match="learning_rate needs gradients: pass targets"):
        net.trace(X).explain(learning_rate=0.1)
    with pytest.raises(ValueError, match="does not know its network"):
        net.forward(X).explain()
    with pytest.raises(ValueError, match="no rows"):
        net.trace(X[:0]).explain()
