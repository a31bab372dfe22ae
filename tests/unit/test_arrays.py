"""What comes from outside becomes float64 in one way, or is refused with one message."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from captum_spex.arrays import real_numbers, scalar
from captum_spex.errors import ArgumentError

NUMBERS = [
    [1, 0],
    (True, False),
    np.array([1, 0], dtype=np.uint8),
    np.array([1.0, 0.0], dtype=np.float16),
    np.array([1, 0], dtype=object),
    torch.tensor([1.0, 0.0], requires_grad=True),
    torch.tensor([1.0, 0.0], dtype=torch.bfloat16),
    torch.tensor([True, False]),
]


@pytest.mark.parametrize("values", NUMBERS, ids=repr)
def test_real_numbers(values):
    found = real_numbers("values", values)
    assert found.dtype == np.float64
    assert_array_equal(found, [1.0, 0.0])


@pytest.mark.parametrize("values", [None, [1j], [[1], [2, 3]], ["1", "2"], [None, 1.0], {"a": 1}, [object()]])
def test_what_is_not_real_numbers_is_refused(values):
    with pytest.raises(ArgumentError, match=r"^`values`: expected real numbers, got (a |an |None)"):
        real_numbers("values", values)


@pytest.mark.parametrize("value", [np.int8(3), np.array(3), torch.tensor(3), 3])
def test_scalars_are_plain_numbers(value):
    assert type(scalar(value)) is int
    assert scalar(value) == 3


@pytest.mark.parametrize("value", [[3], np.array([3]), "3", None])
def test_everything_else_stays_itself(value):
    assert scalar(value) is value
