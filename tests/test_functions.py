"""Vectors in numba kernels, and the functions of them, against numpy in a wider format."""

import numpy as np
import pytest
from numba import njit

from hudyn.kernels.numba import functions
from hudyn.kernels.numba.lanes import One, Sixteen, as_lanes, from_lanes, in_lanes

FUNCTIONS = ("exp", "log", "tanh", "sigmoid")
ULPS = {np.float32: 2.0, np.float64: 2.5}  # largest error, in units in the last place


@njit(error_model="numpy")
def apply(width, number, values, results):
    vectors, found = in_lanes(width, values), in_lanes(width, results)
    for i in range(len(vectors)):
        if number == 0:
            found[i] = functions.exp(vectors[i])
        elif number == 1:
            found[i] = functions.log(vectors[i])
        elif number == 2:
            found[i] = functions.tanh(vectors[i])
        else:
            found[i] = functions.sigmoid(vectors[i])


def computed(name, values, width):
    padded = np.append(values, np.ones(-len(values) % width.lanes, values.dtype)).reshape(-1, width.lanes)
    results = np.empty_like(padded)
    apply(width, FUNCTIONS.index(name), padded, results)
    return results.ravel()[: len(values)]


def exact(name, values):
    """The function in the next wider format."""
    wide = values.astype(np.float64 if values.dtype == np.float32 else np.longdouble)
    if name == "sigmoid":
        decay = np.exp(-np.abs(wide))
        return np.where(wide < 0, decay, 1) / (1 + decay)
    return {"exp": np.exp, "log": np.log, "tanh": np.tanh}[name](wide)


def errors(found, expected):
    """Errors in units in the last place; those that round to infinity must be infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = expected.astype(found.dtype)
        distance = np.abs(found.astype(expected.dtype) - expected) / np.spacing(np.abs(rounded)).astype(expected.dtype)
    return np.where(np.isfinite(rounded), distance, np.where(found == rounded, 0, np.inf))


def numbers(dtype):
    """Every 997th of all float32 from -infinity to infinity; random float64 of all sizes that matter."""
    if dtype == np.float32:
        values = np.arange(0, 1 << 32, 997, dtype=np.uint32).view(np.float32)
        return values[np.isfinite(values)]
    generator = np.random.default_rng(0)
    return np.concatenate([generator.normal(0, scale, 200_000) for scale in (1e-300, 1e-6, 0.1, 1, 10, 400)])


@pytest.mark.parametrize("dtype", ULPS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_exact_to_two_units_in_the_last_place(name, dtype):
    values = numbers(dtype)
    if name == "log":
        values = np.abs(values[np.abs(values) >= np.finfo(dtype).smallest_normal])
    found = computed(name, values, Sixteen())
    with np.errstate(over="ignore", under="ignore"):
        assert errors(found, exact(name, values)).max() <= ULPS[dtype]
    if name == "tanh":
        assert np.array_equal(computed(name, -values, Sixteen()), -found)
        assert np.abs(found).max() == 1
    if name == "sigmoid":
        assert found.min() >= 0
        assert found.max() == 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_lane_alone_gives_the_same_bits(name):
    values = np.abs(np.random.default_rng(0).normal(0, 3, 1600).astype(np.float32)) + np.float32(1e-3)
    assert np.array_equal(computed(name, values, One()), computed(name, values, Sixteen()))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_not_a_number_stays_so(name):
    found = computed(name, np.array([np.nan, 1.0], np.float32), Sixteen())
    assert np.isnan(found[0])
    assert np.isfinite(found[1])


@pytest.mark.parametrize("members", [1, 15, 16, 17, 40])
def test_members_are_put_into_lanes_and_taken_out(members):
    values = np.arange(members * 6.0).reshape(members, 2, 3)
    lanes = as_lanes(values, 16)
    assert lanes.shape == (-(-members // 16), 2, 3, 16)
    assert np.array_equal(lanes[0, :, :, 0], values[0])
    assert np.array_equal(from_lanes(lanes, members), values)
