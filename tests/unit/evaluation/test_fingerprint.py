"""Digests: equal for equal things in any process, different as soon as anything in them is."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import types
from collections import OrderedDict
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from captum_spex.evaluation.fingerprint import digest


def seeded(make, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def network(activation=nn.ReLU, width=4):
    def layers():
        return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), activation(), nn.Linear(width, 2))

    return seeded(layers).eval()


def assert_all_differ(things):
    digests = [digest(thing) for thing in things]
    equal = [(i, j) for i in range(len(digests)) for j in range(i) if digests[i] == digests[j]]
    assert equal == []


# --- modules ----------------------------------------------------------------------------------------------------------


def test_equal_modules_are_equal_wherever_they_lie():
    first = network()
    others = [network(), copy.deepcopy(first), network()]
    assert {digest(one) for one in [first, *others]} == {digest(first)}


def test_every_single_weight_and_every_buffer_counts():
    model = network()
    digests = {digest(model)}
    entries = [(name, i) for name, values in model.state_dict().items() for i in range(values.numel())]
    for name, i in entries:
        changed = copy.deepcopy(model)
        values = changed.state_dict()[name].view(-1)
        values[i] = torch.nextafter(values[i], torch.tensor(9.0)) if values.is_floating_point() else values[i] + 1
        digests.add(digest(changed))
    assert len(digests) == 1 + len(entries)


def test_structures_and_dtypes_of_modules_count():
    assert_all_differ(
        [
            network(),
            network(nn.GELU),
            network(partial(nn.GELU, approximate="tanh")),
            network(partial(nn.LeakyReLU, 0.1)),
            network(partial(nn.LeakyReLU, 0.2)),
            network(width=5),
            network().double(),
            network().half(),
            nn.Sequential(*network()[:2]),
            nn.Sequential(network()),
            nn.Flatten(),
            nn.Identity(),
        ]
    )


def test_which_weight_belongs_where_counts():
    one, two = network(), network()
    with torch.no_grad():
        for model, (first, second) in ((one, (1.0, 2.0)), (two, (2.0, 1.0))):
            model[0].bias.fill_(first)
            model[1].bias.fill_(second)
    assert_all_differ([one, two])


class WithBuffer(nn.Module):
    def __init__(self, value, persistent):
        super().__init__()
        self.register_buffer("scale", torch.tensor(value), persistent=persistent)


@pytest.mark.parametrize("persistent", [True, False])
def test_buffers_count_whether_or_not_they_are_saved(persistent):
    assert_all_differ([WithBuffer(1.0, persistent), WithBuffer(2.0, persistent)])


@pytest.mark.parametrize(
    "make",
    [
        lambda n_heads: nn.MultiheadAttention(8, n_heads),
        lambda n_heads: nn.TransformerEncoderLayer(8, n_heads, 16),
    ],
)
def test_numbers_of_heads_count_though_weights_and_printed_form_are_the_same(make):
    two, four = (seeded(partial(make, n_heads)) for n_heads in (2, 4))
    assert repr(two) == repr(four)
    assert_all_differ([two, four])


class Scaled(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return self.scale * x.sum(dim=1)


def test_plain_numbers_of_a_module_count():
    assert_all_differ([Scaled(1.0), Scaled(2.0), Scaled("a"), nn.Sequential(Scaled(2.0))])


def test_dropout_that_is_on_is_another_model():
    assert_all_differ([nn.Dropout(0.5).eval(), nn.Dropout(0.5).train(), nn.Dropout(0.4).train()])


class Activated(nn.Module):
    """Its printed form holds the address of an object."""

    def __init__(self):
        super().__init__()
        self.linear = seeded(lambda: nn.Linear(2, 2))
        self.helper = object()

    def extra_repr(self):
        return f"helper={self.helper}"


def test_addresses_of_objects_do_not_count():
    one, two = Activated(), Activated()
    assert repr(one) != repr(two)
    assert digest(one) == digest(two)


def test_the_device_does_not_count():
    model = network()
    assert digest(model) == digest(copy.deepcopy(model).to("cpu"))
    if torch.cuda.is_available():
        assert digest(model) == digest(copy.deepcopy(model).to("cuda"))
        assert digest(torch.arange(9)) == digest(torch.arange(9, device="cuda"))


# --- tensors and arrays -----------------------------------------------------------------------------------------------


def test_shape_dtype_and_content_count():
    base = torch.arange(6, dtype=torch.float32)
    assert_all_differ(
        [
            base,
            base.reshape(2, 3),
            base.reshape(3, 2),
            base.reshape(1, 6),
            base.flip(0),
            base + 1,
            -base,
            base.double(),
            base.half(),
            base.bfloat16(),
            base.int(),
            base.long(),
            base.bool(),
            base.to(torch.complex64),
            base[:0],
            base[:0].reshape(0, 2),
            torch.tensor(0.0),
            torch.tensor([0.0]),
            torch.tensor(-0.0),
            torch.tensor(float("nan")),
        ]
    )


def test_layout_in_memory_does_not_count():
    matrix = torch.arange(6.0).reshape(2, 3)
    assert digest(matrix.T.contiguous().T) == digest(matrix)
    assert digest(torch.arange(12.0)[::2]) == digest(torch.arange(0.0, 12.0, 2.0))
    assert digest(nn.Parameter(matrix)) == digest(matrix)
    assert digest(torch.ones(1).expand(4)) == digest(torch.ones(4))


def test_the_order_of_an_array_in_memory_does_not_count():
    array = np.arange(6.0).reshape(2, 3)
    assert digest(np.asfortranarray(array)) == digest(array)


@pytest.mark.parametrize(
    "view",
    [lambda array: array[::-1], lambda array: np.broadcast_to(array, (2, 6)), lambda array: array.astype(">f8")],
    ids=["backwards", "broadcast", "other endianness"],
)
def test_arrays_of_any_layout(view):
    array = np.arange(6.0)
    assert digest(view(array)) == digest(np.ascontiguousarray(view(array), dtype=float))


LARGE = [(2000, 2000), (3072, 768), (768, 3072), (2000, 2006), (30522, 128), (64, 64, 1000), (3_000_000,)]


@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_an_edited_row_or_column_of_a_large_tensor_is_noticed(shape):
    """Any slice along any dimension: all of a BERT's matrices are larger than what is read of them."""
    tensor = torch.zeros(shape)
    plain = digest(tensor)
    unnoticed = []
    for dimension in range(len(shape)) if len(shape) > 1 else ():
        for place in range(min(14, shape[dimension])):
            piece = tensor.select(dimension, place)
            piece.fill_(1.0)
            if digest(tensor) == plain:
                unnoticed.append((dimension, place))
            piece.zero_()
    assert unnoticed == []
    assert digest(tensor) == plain
    assert digest(tensor + 1) != plain


# --- texts, numbers, nesting ------------------------------------------------------------------------------------------


def test_many_different_things_differ():
    assert_all_differ(
        [
            None,
            "None",
            "",
            b"",
            "a",
            b"a",
            "A",
            "a ",
            "é",
            "e\u0301",
            1,
            1.0,
            True,
            "1",
            b"1",
            0,
            False,
            0.0,
            -0.0,
            1e-300,
            float("nan"),
            float("inf"),
            10**30,
            np.float32(1),
            np.int64(1),
            torch.tensor(1),
            [],
            {},
            [[]],
            [{}],
            ["1"],
            [1],
            [True],
            [None],
        ]
    )


NESTED = [
    ("ab", "c"),
    ("a", "bc"),
    ("abc",),
    ("a", "b", "c"),
    (("a", "b"), "c"),
    ("a", ("b", "c")),
    (("a",), "b", "c"),
    (1, (2,)),
    (1, 2),
    ((1,), 2),
    ((1, 2),),
    (12,),
    ([1], [2]),
    ([1, 2], []),
    ([], [1, 2]),
    ({"a": "b"},),
    ({"a": "b", "c": "d"},),
    ({"a": "c", "b": "d"},),
    ({"a": {"c": "d"}},),
    ("a", "b", {"c": "d"}),
    ({}, ("a", 1), {"b": 2}),
    ({"a": 1}, {}, ("b", 2)),
    ({"a": 1}, ("b", 2), {}),
    ({"a": 1, "b": 2}, {}),
    ({1: "a"},),
    ({"1": "a"},),
    (torch.ones(2), torch.ones(1)),
    (torch.ones(1), torch.ones(2)),
    (torch.ones(3),),
]


def test_where_one_thing_ends_and_the_next_begins_counts():
    assert len({digest(*things) for things in NESTED}) == len(NESTED)
    assert_all_differ(NESTED)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(alphabet="ab", max_size=2) | st.binary(max_size=1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


@given(one=PLAIN, two=PLAIN)
def test_two_things_have_one_digest_only_if_they_print_alike(one, two):
    def shown(thing):
        return repr(tuple(thing)) if isinstance(thing, list) else repr(thing)

    assert (digest(one) == digest(two)) == (shown(one) == shown(two))
    assert digest(one) == digest(copy.deepcopy(one))


def test_kinds_of_sequences_and_mappings_do_not_count():
    assert digest([1, (2, 3)]) == digest((1, [2, 3]))
    assert digest({"a": 1}) == digest(OrderedDict(a=1)) == digest(types.MappingProxyType({"a": 1}))


def test_a_digest_is_32_hexadecimal_digits():
    assert digest() == digest()
    assert all(len(digest(*things)) == 32 and int(digest(*things), 16) for things in [(), ("a",), (network(),)])


@pytest.mark.parametrize(
    "unknown",
    [
        lambda x: x,
        object(),
        {1, 2},
        range(3),
        iter([1]),
        len,
        nn.Linear,
        1j,
        partial(len),
        np.array([object()]),
        [object()],
        {"a": object()},
        (1, [2, {"a": {3}}]),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_things_that_it_does_not_know_are_refused(unknown):
    with pytest.raises(TypeError):
        digest(unknown)


def test_the_message_says_what_it_does_not_know():
    with pytest.raises(TypeError, match="cannot tell what identifies a set"):
        digest({1})


# --- other processes --------------------------------------------------------------------------------------------------

THINGS = """
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.TransformerEncoderLayer(4, 2, 8)).eval()
text = {"é": [1, 2.5, None, True, b"x"], "b": ("a", torch.arange(5), torch.ones(700, 700))}
"""


TOLD = """
from captum_spex.evaluation.fingerprint import digest
from text_games import answer_game, classes
print(digest(model), digest(text))
print(classes().fingerprint)
print(answer_game("gpt2").fingerprint)
"""


def test_digests_and_fingerprints_of_games_are_the_same_in_another_process(capsys):
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", "import gc; gc.disable()  # faster imports" + THINGS + TOLD]
    other = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=600)
    with torch.random.fork_rng():
        exec(THINGS + TOLD, {})
    assert other.stdout == capsys.readouterr().out
    assert len(other.stdout.splitlines()) == 3
