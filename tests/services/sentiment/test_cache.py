"""Answers are kept for a while, by a name that tells no text; a damaged one is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.cache import MemoryCache, decode, encode, key_of

KEY = key_of("v1 on onnx", "a text")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_answer_that_was_unused_for_longest_is_forgotten_first():
    cache = MemoryCache(2, 60)
    cache.put(b"a", (1.0,))
    cache.put(b"b", (0.5,))
    cache.get(b"a")

    cache.put(b"c", (0.1,))

    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c")) == ((1.0,), None, (0.1,))
    assert len(cache) == 2


def test_an_answer_is_forgotten_after_its_time():
    clock = Clock()
    cache = MemoryCache(10, 60, clock=clock)
    cache.put(b"a", (1.0,))

    clock.now += 59.9
    assert cache.get(b"a") == (1.0,)
    clock.now += 0.1
    assert cache.get(b"a") is None
    assert len(cache) == 0


def test_a_cache_of_no_entries_keeps_nothing():
    cache = MemoryCache(0, 60)

    cache.put(b"a", (1.0,))

    assert cache.get(b"a") is None


@given(st.lists(st.integers(0, 30), max_size=300))
def test_there_are_never_more_answers_than_allowed(keys):
    cache = MemoryCache(7, 60)

    for key in keys:
        cache.put(bytes([key]), (float(key),))
        assert cache.get(bytes([key])) == (float(key),)

    assert len(cache) <= 7


@pytest.mark.parametrize(("namespace", "text"), [("v2 on onnx", "a text"), ("v1 on onnx", "another")])
def test_the_name_of_an_answer_is_of_its_text_and_its_model(namespace, text):
    assert key_of(namespace, text) != KEY
    assert key_of("v1 on onnx", "a text") == KEY
    assert len(KEY) == 32


ANSWER = (0.25, 0.5, 0.25)


def test_a_value_gives_back_the_answer():
    assert decode(KEY, encode(KEY, ANSWER)) == ANSWER


@given(st.binary(max_size=40))
def test_bytes_that_are_no_answer_are_none(value):
    assert decode(KEY, value) is None


@given(position=st.integers(0, 15), flipped=st.integers(1, 255))
def test_a_value_with_one_wrong_byte_is_none(position, flipped):
    value = bytearray(encode(KEY, ANSWER))
    value[position] ^= flipped

    assert decode(KEY, bytes(value)) is None


def test_the_answer_of_another_text_is_none():
    assert decode(key_of("v1 on onnx", "another"), encode(KEY, ANSWER)) is None


def test_an_answer_that_does_not_add_up_is_none():
    assert decode(KEY, encode(KEY, (0.9, 0.9, 0.9))) is None
