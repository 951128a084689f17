"""The textbook examples: their numbers, their traces and their pictures."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import examples
from fastmlp.cli import main
from fastmlp.cli.examples import trace
from fastmlp.examples import EXAMPLES, matches

QUICK = [number for number in EXAMPLES if EXAMPLES[number].held_by != "spread"]


def misprint(monkeypatch: pytest.MonkeyPatch, number: int, *values: str) -> None:
    """Change the last printed values of an example."""
    example = EXAMPLES[number]
    *first, last = example.printed
    wrong = dataclasses.replace(example, printed=(*first, dataclasses.replace(last, values=values)))
    monkeypatch.setitem(EXAMPLES, number, wrong)


def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)


@pytest.mark.parametrize("number", EXAMPLES)
def test_an_example_gives_the_printed_numbers_with_the_reference_and_the_core(number):
    rows = examples.check(EXAMPLES[number])
    assert [row for row in rows if not row.passed] == []
    assert any(row.quantity.startswith("core - reference") for row in rows)


def test_the_command_runs_all_seven_and_exits_with_0(capsys):
    assert main(["examples"]) == 0
    out = capsys.readouterr().out
    for example in EXAMPLES.values():
        assert f"\n{example.number}  {example.title}:" in out
    assert "FAIL" not in out


def test_the_command_runs_the_chosen_ones_alone(capsys):
    assert main(["examples", "2", "4"]) == 0
    out = capsys.readouterr().out
    assert "0.992283" in out
    assert "7.7814" in out
    assert "0.5027" not in out


@pytest.mark.parametrize(
    ("number", "values", "quantity"),
    [
        (1, ["0.5001"], "w after 20"),
        (3, ["0.9998"], "y after 15"),
        (6, ["0.8", "0.1", "0.5", "0.7"], "max |y - target| after 30"),  # nobody hits every target exactly
        (7, ["0.0295", "0.4255", "0.6867", "0.7470", "0.9"], "y at x = 0.85 after 500"),
    ],
)
def test_a_number_that_is_off_is_named_and_makes_the_exit_code_1(number, values, quantity, monkeypatch, capsys):
    misprint(monkeypatch, number, *values)
    assert main(["examples", str(number)]) == 1
    failures = [line for line in capsys.readouterr().out.splitlines() if "FAIL" in line]
    assert failures[0].strip().startswith(quantity)


def test_a_core_that_differs_from_the_reference_fails_even_with_the_right_numbers(monkeypatch, capsys):
    class Skewed(fastmlp.Network):
        def predict(self, X, n_threads=None):
            return super().predict(X) * (1 + 1e-9)

    monkeypatch.setattr(examples, "Network", Skewed)
    assert main(["examples", "3"]) == 1
    failures = [line for line in capsys.readouterr().out.splitlines() if "FAIL" in line]
    assert len(failures) == 1
    assert "core - reference" in failures[0]


@pytest.mark.parametrize(
    ("value", "printed", "right"),
    [
        (0.99998, "0.9999", True),  # truncated
        (0.99998, "1.0000", True),  # rounded
        (7.999997, "8.0", True),
        (0.76999999, "0.77", True),
        (0.0480, "0.048", True),
        (-0.12345, "-0.1234", True),
        (0.99998, "0.9998", False),
        (0.5000, "0.5001", False),
        (np.nan, "0.5", False),
        (np.inf, "0.5", False),
    ],
)
def test_a_printed_number_holds_if_rounding_or_truncating_gives_it(value, printed, right):
    assert matches(value, printed) is right


@pytest.mark.parametrize("number", [5, 6])
def test_the_starts_of_our_own_are_positive_numbers_of_one_decimal(number):
    start = examples.network(EXAMPLES[number]).parameters
    assert (start > 0).all()
    np.testing.assert_array_equal(start, start.round(1))


def test_a_trace_shows_every_quantity_of_a_step_by_its_letter_and_shape(capsys):
    assert main(["examples", "3", "--trace"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    for line, shapes in {
        "Z[2] = A[1] @ W[2]": "(1, 2) @ (2, 2) = (1, 2)",
        "delta[1] = (delta[2] @ W[2].T) * s'(Z[1])": "((1, 2) @ (2, 2)) * (1, 2) = (1, 2)",
        "dW[1] = X.T @ delta[1]": "(1, 1) @ (1, 2) = (1, 2)",
        "dW[3] = A[2].T @ delta[3]": "(2, 1) @ (1, 1) = (2, 1)",
    }.items():
        assert any(shown.split("  #") == [line.ljust(60), f" {shapes}"] for shown in lines), line
    assert "  = 0.31205" in lines
    assert "A[3] = Y_hat" in lines
    assert "db[" not in out


def test_a_trace_ends_with_the_updated_weights(capsys):
    main(["examples", "1", "--trace"])
    updated = capsys.readouterr().out.partition("Update")[2].splitlines()
    assert "W[1] <- W[1] - eta * dW[1]" in updated
    assert "      = [ 0.77 ]" in updated


def test_a_trace_of_a_network_with_biases_shows_b_and_db(capsys):
    main(["examples", "6", "--trace"])
    out = capsys.readouterr().out
    for l in (1, 2, 3, 4):
        assert f" + b[{l}] " in out
        assert f"\ndb[{l}] = " in out


@pytest.mark.parametrize(
    ("format", "beginning"), [("text", "One step"), ("markdown", "# "), ("html", "<!DOCTYPE html>")]
)
def test_a_trace_in_a_format_is_printed_alone(format, beginning, capsys):
    assert main(["examples", "3", "--trace", "--format", format]) == 0
    out = capsys.readouterr().out
    assert out.startswith(beginning)
    assert out.rstrip("\n") == trace(EXAMPLES[3], format).rstrip("\n")


@pytest.mark.parametrize(
    "arguments",
    [["3"], ["--trace"], ["1", "2", "--trace"], ["3", "--trace", "--json"], ["3", "--trace", "--plot", "."]],
)
def test_a_format_is_that_of_the_trace_of_one_example(arguments, capsys):
    assert main(["examples", *arguments, "--format", "html"]) == 2
    assert capsys.readouterr() == (
        "",
        "fastmlp: --format goes with --trace and the number of one example, and with nothing else\n",
    )


@pytest.mark.parametrize("number", ["0", "8", "-1"])
def test_an_unknown_example_is_told_in_one_line_with_the_known_ones(number, capsys):
    assert main(["examples", "--", number]) == 2
    error = capsys.readouterr().err
    assert error == f"fastmlp: there is no example {number}: known are 1, 2, 3, 4, 5, 6, 7\n"


def assert_picture(path: Path, n_frames: int = 1) -> None:
    """Check that a file is an image of a readable size with something drawn on it."""
    with pytest.importorskip("PIL.Image").open(path) as image:
        assert min(image.size) >= 300
        assert getattr(image, "n_frames", 1) >= n_frames
        pixels = np.asarray(image.convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10
    assert (pixels != 255).any(axis=2).mean() > 0.005


@pytest.mark.parametrize("number", QUICK)
def test_an_example_is_drawn_into_a_folder_that_need_not_exist(number, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    folder = tmp_path / "a" / "b"
    assert main(["examples", str(number), "--plot", str(folder)]) == 0
    files = sorted(folder.iterdir())
    assert files
    out = capsys.readouterr().out
    for path in files:
        assert f"wrote {path}\n" in out
        assert_picture(path)


def test_example_7_is_drawn_with_an_animation(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(examples, "N_STARTS", 2)
    monkeypatch.setattr(examples, "N_STARTS_REFERENCE", 1)
    main(["examples", "7", "--plot", str(tmp_path)])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"example-7-fit.png", "example-7-error.png", "example-7-fit.gif"}
    for name in names:
        assert_picture(tmp_path / name, n_frames=20 if name.endswith(".gif") else 1)


def test_drawing_leaves_pyplot_alone(tmp_path):
    pytest.importorskip("matplotlib")
    before = "matplotlib.pyplot" in sys.modules
    main(["activations", "--plot", str(tmp_path / "s.png")])
    assert ("matplotlib.pyplot" in sys.modules) == before


@pytest.mark.parametrize("arguments", [["examples", "1", "--plot", "DIR"], ["activations", "--plot", "DIR/s.png"]])
def test_without_matplotlib_the_command_that_installs_it_is_named(arguments, tmp_path, monkeypatch, capsys):
    without_matplotlib(monkeypatch)
    assert main([text.replace("DIR", str(tmp_path)) for text in arguments]) == 2
    assert capsys.readouterr().err == "fastmlp: matplotlib is not installed: pip install 'fastmlp[plot]'\n"
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_named(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    (tmp_path / "taken").write_text("")
    assert main(["examples", "1", "--plot", str(tmp_path / "taken")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"fastmlp: cannot write {tmp_path / 'taken'}: ")
    assert error.count("\n") == 1


def test_activations_are_listed_with_their_derivatives(capsys):
    assert main(["activations"]) == 0
    words = capsys.readouterr().out.split()
    for name in fastmlp.reference.activations.ACTIVATIONS:
        assert name in words
    assert {"0.7311", "0.1966", "0.7616", "0.4200"} <= set(words)  # sigmoid and tanh at 1


@pytest.mark.parametrize("extension", ["PNG", "svg", "pdf"])
def test_activations_are_drawn(extension, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"s.{extension}"
    assert main(["activations", "--plot", str(path)]) == 0
    assert capsys.readouterr().out == f"wrote {path}\n"
    if extension.lower() == "png":
        assert_picture(path)
    else:
        assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("name", "why"),
    [("nowhere/s.png", "there is no folder"), ("s.docx", "its extension must be one of"), ("s", "its extension must")],
)
def test_a_file_that_cannot_be_drawn_is_named_with_the_reason(name, why, tmp_path, capsys):
    assert main(["activations", "--plot", str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"fastmlp: cannot write {tmp_path / name}: {why}")
    assert error.count("\n") == 1
