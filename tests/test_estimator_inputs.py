"""What may be passed to estimators: arrays of any layout and type, tables of pandas and polars, sparse matrices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.reference.arrays import Array

Data = tuple[Array, Array]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
NAMES = ["sepal length", "sepal width", "petal length", "petal width"]


def trained(X: Any, y: Any, cls: type = MLPClassifier, **parameters: Any) -> Any:
    return cls((8,) if cls is MLPClassifier else "squared_error", max_iter=3, random_state=0, **parameters).fit(X, y)


def same(a: Any, b: Any, X: Any, X_of_b: Any | None = None) -> None:
    """Check that two fits, and their predictions, agree to the bit."""
    assert np.array_equal(a.network_.parameters, b.network_.parameters)
    assert a.loss_curve_ == b.loss_curve_
    outputs = "predict_proba" if hasattr(a, "predict_proba") else "predict"
    assert np.array_equal(getattr(a, outputs)(X), getattr(b, outputs)(X if X_of_b is None else X_of_b))


def test_layouts_of_arrays(iris: Data, tmp_path: Path) -> None:
    X, y = iris
    plain = trained(X, y)
    wide = np.full((300, 8), np.nan)
    wide[::2, ::2] = X
    np.save(tmp_path / "X.npy", X)
    layouts = {
        "Fortran order": np.asfortranarray(X),
        "every other row and column": wide[::2, ::2],
        "backwards": X[::-1][::-1],
        "read from a file": np.load(tmp_path / "X.npy", mmap_mode="r"),
        "rows of lists": X.tolist(),
        "the other byte order": X.astype(X.dtype.newbyteorder()),
    }
    for name, other in layouts.items():
        model = trained(other, y)
        assert np.array_equal(model.network_.parameters, plain.network_.parameters), name
        assert np.array_equal(plain.predict_proba(other), plain.predict_proba(X)), name
        assert np.array_equal(plain.input_gradients(other), plain.input_gradients(X)), name


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_float32_stays_float32(cls: type, iris: Data) -> None:
    X, y = iris[0].astype(np.float32), iris[1]
    model = trained(X, y, cls)
    assert {a.dtype for a in (*model.coefs_, *model.intercepts_)} == {np.dtype(np.float32)}
    predicted = model.predict_proba(X) if cls is MLPClassifier else model.predict(X)
    assert predicted.dtype == np.float32
    assert trained(iris[0], y, cls).coefs_[0].dtype == np.float64


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint16", "bool", "float16", "object"])
def test_other_numbers_become_float64(dtype: str, iris: Data) -> None:
    X = np.abs(3 * iris[0]).astype(int).astype(dtype)
    model = trained(X, iris[1])
    assert model.coefs_[0].dtype == np.float64
    same(model, trained(X.astype(float), iris[1]), X)


@pytest.mark.parametrize("given", ["labels", "a column", "strings", "objects", "a list"])
def test_forms_of_labels(given: str, iris: Data) -> None:
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    forms = {
        "labels": y,
        "a column": y[:, None],
        "strings": names,
        "objects": names.astype(object),
        "a list": y.tolist(),
    }
    if given == "a column":
        with pytest.warns(UserWarning, match="A column-vector y was passed when a 1d array was expected"):
            model = trained(X, forms[given])
    else:
        model = trained(X, forms[given])
    assert np.array_equal(model.network_.parameters, trained(X, y).network_.parameters)
    assert set(model.predict(X)) <= set(np.ravel(forms[given]))


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "rprop"])
def test_sparse_matrices_are_like_dense_ones(solver: str, form: Any, iris: Data) -> None:
    X, y = np.where(iris[0] > 0, iris[0], 0), iris[1]
    for cls in (MLPClassifier, MLPRegressor):
        dense, other = (trained(given, y, cls, solver=solver) for given in (X, form(X)))
        same(other, dense, form(X), X)
        assert np.array_equal(other.input_gradients(form(X)), dense.input_gradients(X))


@pytest.mark.parametrize("form", [sparse.coo_matrix, sparse.lil_matrix, sparse.dok_matrix])
def test_other_sparse_formats_are_converted(form: Any, iris: Data) -> None:
    X = np.where(iris[0] > 0, iris[0], 0)
    same(trained(form(X), iris[1]), trained(X, iris[1]), form(X), X)


def test_sparse_matrices_with_all_the_rest(iris: Data) -> None:
    X, y = np.where(iris[0] > 0, iris[0], 0).astype(np.float32), iris[1]
    models = []
    for form in (np.asarray, sparse.csr_array, sparse.csc_array):
        weights = {"sample_weight": np.linspace(0, 2, 150), "sample_weight_val": np.linspace(1, 2, 50)}
        model = MLPClassifier(early_stopping=True, dropout=0.2, batch_size=13, max_iter=4, random_state=0)
        model.fit(form(X), y, X_val=form(X[:50]), y_val=y[:50], **weights)
        model.set_params(early_stopping=False).partial_fit(form(X), y)
        model.set_params(early_stopping=True, warm_start=True).fit(form(X), y)  # with rows that it holds out itself
        models.append(model)
    assert models[0].coefs_[0].dtype == np.float32
    for model in models[1:]:
        same(model, models[0], X)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_array])
def test_sparse_numbers_that_are_not_finite(form: Any, iris: Data) -> None:
    X, y = np.where(iris[0] > 0, iris[0], 0), iris[1]
    model = trained(form(X), y)
    X[140, 2] = np.nan
    for call in (lambda: model.fit(form(X), y), lambda: model.predict(form(X)), lambda: model.partial_fit(form(X), y)):
        with pytest.raises(ValueError, match="Input X contains NaN: row 140, column 2"):
            call()


def test_text_in_arrays_is_named_by_column(iris: Data) -> None:
    X = iris[0].astype(object)
    X[7, 2] = "large"
    for given in (X, X.astype(str), X.tolist()):
        with pytest.raises(ValueError, match="Input X contains text: row 7, column 2 is 'large'"):
            trained(given, iris[1])


class TestTables:
    """Data frames of pandas and of polars."""

    @pytest.fixture(params=["pandas", "polars"])
    def frames(self, request: pytest.FixtureRequest) -> Any:
        return pytest.importorskip(request.param)

    def test_they_are_like_arrays(self, frames: Any, iris: Data) -> None:
        X, y = iris
        table = frames.DataFrame(X, columns=NAMES) if frames.__name__ == "pandas" else frames.DataFrame(X, schema=NAMES)
        model = trained(table, frames.Series(y))
        assert list(model.feature_names_in_) == NAMES
        assert np.array_equal(model.network_.parameters, trained(X, y).network_.parameters)
        assert np.array_equal(model.predict_proba(table), trained(X, y).predict_proba(X))
        assert model.score(table, frames.Series(y)) == trained(X, y).score(X, y)

    def test_missing_numbers_are_named_by_column(self, frames: Any, iris: Data) -> None:
        X, y = iris
        columns = dict(zip(NAMES, X.T.tolist(), strict=True))
        model = trained(frames.DataFrame(columns), y)
        columns["petal length"][7] = None
        with pytest.raises(ValueError, match="Input X contains NaN: row 7, column 'petal length'"):
            model.fit(frames.DataFrame(columns), y)
        columns["petal length"][7] = float("inf")
        with pytest.raises(ValueError, match="Input X contains infinity: row 7, column 'petal length'"):
            model.predict(frames.DataFrame(columns))

    def test_text_is_named_by_column(self, frames: Any, iris: Data) -> None:
        X, y = iris
        columns: dict[str, list[Any]] = dict(zip(NAMES, X.T.tolist(), strict=True))
        model = trained(frames.DataFrame(columns), y)
        columns["petal length"] = [*map(str, columns["petal length"][:-1]), "large"]
        for method in (model.predict, lambda X: model.fit(X, y), lambda X: model.partial_fit(X, y)):
            with pytest.raises(ValueError, match=r"contains text: row 149, column 'petal length' is 'large'"):
                method(frames.DataFrame(columns))

    def test_columns_in_another_order_are_refused(self, frames: Any, iris: Data) -> None:
        columns = dict(zip(NAMES, iris[0].T.tolist(), strict=True))
        model = trained(frames.DataFrame(columns), iris[1])
        turned = frames.DataFrame({name: columns[name] for name in NAMES[::-1]})
        fewer = frames.DataFrame({name: columns[name] for name in NAMES[:3]})
        for method in (model.predict, lambda X: model.partial_fit(X, iris[1])):
            with pytest.raises(ValueError, match="feature names should match those that were passed during fit"):
                method(turned)
            with pytest.raises(ValueError, match="petal width"):
                method(fewer)
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            model.predict(iris[0])

    @pytest.mark.parametrize("scoring", [None, "loss", "neg_log_loss"])
    def test_validation_and_scores_keep_quiet_about_names(self, frames: Any, scoring: str | None, iris: Data) -> None:
        columns = dict(zip(NAMES, iris[0].T.tolist(), strict=True))
        table = frames.DataFrame(columns)
        model = trained(table, iris[1], early_stopping=True, scoring=scoring)
        model.fit(table, iris[1], X_val=table, y_val=frames.Series(iris[1]))
        assert len(model.validation_scores_) == 3


def test_pipelines_that_give_tables(iris: Data) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(iris[0], columns=NAMES)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(max_iter=3, random_state=0))
    pipeline.set_output(transform="pandas").fit(table, iris[1])
    assert list(pipeline[-1].feature_names_in_) == NAMES
    plain = make_pipeline(StandardScaler(), MLPClassifier(max_iter=3, random_state=0)).fit(*iris)
    assert pipeline.predict_proba(table) == pytest.approx(plain.predict_proba(iris[0]), rel=1e-9)


def test_tables_of_mixed_types_and_of_categories(iris: Data) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(np.round(iris[0], 1).astype(np.float32), columns=NAMES)
    table["sepal width"] = (3 * iris[0][:, 1]).astype(np.int16)
    labels = pandas.Series(np.array(["a", "b", "c"])[iris[1]], dtype="category")
    model = trained(table, labels)
    assert np.array_equal(model.network_.parameters, trained(table.to_numpy(np.float32), iris[1]).network_.parameters)
    assert model.coefs_[0].dtype == np.float32
    assert set(model.predict(table)) <= {"a", "b", "c"}
