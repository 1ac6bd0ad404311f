"""Importing Keras costs no more than Keras."""

import importlib
import subprocess
import sys

import pytest

from edgerig.models.keras.engine import _without


@pytest.mark.slow
def test_keras_is_imported_without_what_it_only_tries_and_works_with_it_once_it_is_used() -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    code = """if True:
        import sys
        from edgerig.models.keras.engine import import_keras
        keras = import_keras()
        assert not {"sklearn", "pandas", "IPython"} & sys.modules.keys()
        seldom_used = {"scipy", "requests", "rich", "jax.experimental.pallas"}
        assert not seldom_used & sys.modules.keys()
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
        assert model.count_params() == 3
        lines = []
        model.summary(print_fn=lines.append)
        assert "Total params: 3" in lines[0]
        assert "rich" in sys.modules

        import numpy
        rows = numpy.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        assert model.predict(rows, verbose=0).tolist() == [[3], [7], [11]]
        assert "pandas" not in sys.modules
        import pandas
        assert model.predict(pandas.DataFrame(rows, columns=["a", "b"]), verbose=0).tolist() == [[3], [7], [11]]
        model.compile(loss="mse", optimizer="sgd")
        assert abs(model.evaluate(pandas.DataFrame(rows), pandas.Series([3.0, 7, 12]), verbose=0) - 1 / 3) < 1e-6

        try:
            keras.no_such_name
        except AttributeError as error:
            assert "no_such_name" in str(error)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile(loss="mse", optimizer="sgd")
        regressor = keras.wrappers.SKLearnRegressor(model)
        import sklearn.base
        assert isinstance(regressor, sklearn.base.BaseEstimator)
        from keras.wrappers import SKLearnRegressor
        assert SKLearnRegressor is type(regressor)

        import jax.experimental.sparse.linalg, scipy.sparse
        matrix = jax.experimental.sparse.BCSR.from_scipy_sparse(scipy.sparse.csr_matrix([[2.0, 0.0], [0.0, 4.0]]))
        ends = matrix.data, matrix.indices, matrix.indptr
        solution = jax.experimental.sparse.linalg.spsolve(*ends, jax.numpy.array([2.0, 2.0]))
        assert solution.tolist() == [1, 0.5]
        nn = sys.modules["keras.src.backend.jax.nn"]
        assert nn.splash_attention_mask.CausalMask((2, 2))[:, :].tolist() == [[True, False], [True, True]]
        assert callable(nn.splash_attention_kernel.make_splash_mha)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_imported_already_stays() -> None:
    with _without("importlib"):
        assert sys.modules["importlib"] is importlib
    assert sys.modules["importlib"] is importlib


def test_what_is_left_out_is_there_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with pytest.raises(ImportError), _without("wave"):
        importlib.import_module("wave")
    assert importlib.import_module("wave").Error
