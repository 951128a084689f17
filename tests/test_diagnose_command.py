"""``fastmlp diagnose``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_runs import QUICK, Captured, code, error_of, results, write_houses, write_regression

from fastmlp.tabular import layout


@pytest.fixture(autouse=True)
def in_folder(folder: Path) -> None:
    """Work in an empty folder."""


def train(target: str, *options: str, data: str = "houses.csv") -> None:
    assert code("train", data, "--target", target, *QUICK, *options) == 0


def test_a_model_that_learns(capsys: Captured) -> None:
    write_houses()
    for target in ("price", "city", "dear"):
        train(target, "--epochs", "100")
        capsys.readouterr()
        assert code("diagnose", "model.safetensors", "houses.csv") == 0
        assert capsys.readouterr().out.startswith("nothing found in 120 rows; loss "), target


def test_columns_have_the_names_of_the_table(capsys: Captured) -> None:
    write_regression()
    train("y", "--epochs", "50", data="data.csv")
    (finding,) = results(capsys, "diagnose", "model.safetensors", "data.csv")["findings"]
    assert (finding["kind"], finding["severity"]) == ("constant_columns", "warning")
    assert finding["evidence"]["names"] == ["constant"]
    assert "--drop" in finding["remedy"]


def test_rows_that_are_far_from_those_of_training(capsys: Captured) -> None:
    write_houses()
    train("price", "--epochs", "50")
    lines = Path("houses.csv").read_text(encoding="utf-8").splitlines()
    feet = [",".join([str(10.8 * float(line.split(",")[0])), *line.split(",")[1:]]) for line in lines[1:]]
    Path("feet.csv").write_text("\n".join([lines[0], *feet]), encoding="utf-8")
    findings = results(capsys, "diagnose", "model.safetensors", "feet.csv")["findings"]
    assert findings[0]["kind"] == "unscaled_inputs"
    assert findings[0]["evidence"]["names"] == ["area"]
    assert "scaled with the training rows" in findings[0]["remedy"]


def test_an_error_is_an_exit_code(capsys: Captured) -> None:
    write_houses()
    train("city")
    model = layout.load("model.safetensors")
    model.network.biases[0][:] = -100
    layout.save(model, "dead.safetensors")
    capsys.readouterr()
    assert code("diagnose", "dead.safetensors", "houses.csv") == 1
    out = capsys.readouterr().out
    assert "ERROR dead_units\n  layer 1: 8 of 8 relu neurons are 0 in all 120 rows" in out
    assert "--activation leaky_relu" in out
    assert code("diagnose", "dead.safetensors", "houses.csv", "--json") == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["kind"] == "dead_units"


def test_numbers_of_classes_that_were_taken_for_amounts(capsys: Captured) -> None:
    write_houses()
    lines = Path("houses.csv").read_text(encoding="utf-8").splitlines()
    places = ["place", *(str(["Bergen", "Oslo", "Tromsø"].index(line.split(",")[1])) for line in lines[1:])]
    rows = [f"{line},{place}" for line, place in zip(lines, places, strict=True)]
    Path("places.csv").write_text("\n".join(rows), encoding="utf-8")
    train("place", "--drop", "city", "--epochs", "50", data="places.csv")
    findings = results(capsys, "diagnose", "model.safetensors", "places.csv")["findings"]
    assert findings[0]["kind"] == "numbered_classes"
    assert findings[0]["remedy"].startswith("--task classification")


def test_classes_have_their_names(capsys: Captured) -> None:
    write_houses()
    lines = Path("houses.csv").read_text(encoding="utf-8").splitlines()
    rare = [line for line in lines[1:] if line.split(",")[1] != "Oslo"]
    oslo = [line for line in lines[1:] if line.split(",")[1] == "Oslo"][:3]
    Path("rare.csv").write_text("\n".join([lines[0], *rare, *oslo]), encoding="utf-8")
    train("city", "--drop", "price", "--epochs", "20", data="rare.csv")
    findings = results(capsys, "diagnose", "model.safetensors", "rare.csv")["findings"]
    assert findings[0]["kind"] == "class_imbalance"
    assert findings[0]["evidence"]["counts"] == {"Bergen": 40, "Oslo": 3, "Tromsø": 40}
    assert findings[0]["remedy"] == "train with --class-weight balanced"


def test_every_loss_of_regression(capsys: Captured) -> None:
    write_houses()
    for loss in ("huber", "poisson", "gamma", "gaussian_nll", "quantile(0.1, 0.5, 0.9)"):
        train("price", "--loss", loss, "--epochs", "100")
        assert results(capsys, "diagnose", "model.safetensors", "houses.csv")["findings"] == [], loss


def test_mistakes(capsys: Captured) -> None:
    write_houses()
    train("price", "--loss", "poisson")
    Path("negative.csv").write_text("area,city,size,baths,dear,price\n50,Oslo,small,1,no,-3\n", encoding="utf-8")
    assert "negative.csv, column 'price'" in error_of(capsys, "diagnose", "model.safetensors", "negative.csv")
    Path("gap.csv").write_text("area,city,size,baths,dear,price\n,Oslo,small,1,no,3\n", encoding="utf-8")
    assert "gap.csv, line 2, column 'area'" in error_of(capsys, "diagnose", "model.safetensors", "gap.csv")
    assert "nothing.csv" in error_of(capsys, "diagnose", "model.safetensors", "nothing.csv")
