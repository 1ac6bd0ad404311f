"""Rounding to grids, and its gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.compilers.qat.fake_quant import Grid, integers, snapped, widened

VALUES = np.array([-10.0, -1.0, -0.3, 0.0, 0.26, 0.9, 63.0], np.float32)
GRID = Grid(np.float32(0.25), np.float32(-100))


def test_values_become_what_their_integer_stands_for() -> None:
    """From (-128 + 100) * 0.25 = -7 to (127 + 100) * 0.25 = 56.75."""
    assert snapped(VALUES, GRID).tolist() == [-7.0, -1.0, -0.25, 0.0, 0.25, 1.0, 56.75]
    assert integers(VALUES, GRID).tolist() == [-128, -104, -101, -100, -99, -96, 127]


def test_gradients_pass_within_the_range_and_end_outside_of_it() -> None:
    import jax
    import jax.numpy as jnp

    gradients = jax.grad(lambda values: snapped(values, GRID).sum())(jnp.asarray(VALUES))
    assert gradients.tolist() == [0, 1, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("value", "gradient"),
    [(0.3, 1 - 0.3 / 0.25), (0.2, 1 - 0.2 / 0.25), (1000.0, 227.0), (-1000.0, -28.0)],
)
def test_the_gradient_of_a_scale_is_that_of_learned_step_sizes(value: float, gradient: float) -> None:
    """Rounded minus exact steps within the range, the limit outside of it (Esser et al., 2020, equation 3)."""
    import jax
    import jax.numpy as jnp

    found = jax.grad(lambda scale: snapped(jnp.float32(value), Grid(scale, jnp.float32(-100))))(jnp.float32(0.25))
    assert float(found) == pytest.approx(gradient, rel=1e-5, abs=1e-5)


@settings(deadline=None, max_examples=50)
@given(st.floats(1e-4, 10), st.integers(-128, 127), st.floats(-2, 2), st.floats(-2, 2))
def test_a_widened_grid_has_zero_on_it(scale: float, zero: int, low: float, high: float) -> None:
    start = Grid(np.float32(scale), np.float32(zero))
    grid = widened(start, np.array([low, high], np.float32))
    assert float(grid.zero) == round(float(grid.zero))
    assert -128 <= grid.zero <= 127
    assert float(snapped(np.float32(0), grid)) == 0
    width = 255 * float(grid.scale)
    wanted = (zero + 128) * scale * np.exp(low) + (127 - zero) * scale * np.exp(high)
    assert width == pytest.approx(wanted, rel=1e-4)


def test_factors_of_one_change_nothing() -> None:
    grid = widened(GRID, np.zeros(2, np.float32))
    assert (float(grid.scale), float(grid.zero)) == (pytest.approx(0.25, rel=1e-6), -100)
