"""Batching: items are prepared in the background, and batches shrink when memory runs out."""

import logging
import threading
import time

import pytest
import torch

from samcarry.runtime.batching import in_batches, prefetch


def with_memory_for(limit, error):
    """Double numbers, at most `limit` at once."""

    def double(batch):
        if len(batch) > limit:
            raise error
        return [2 * item for item in batch]

    return double


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"
        ),
    ],
)
def test_a_batch_halves_when_memory_runs_out_and_every_result_is_returned_once(error, caplog):
    with caplog.at_level(logging.WARNING):
        found = list(in_batches(with_memory_for(3, error), range(11), at_once=8))
    assert found == [2 * item for item in range(11)]
    assert [record.message for record in caplog.records] == [
        "too little memory for a batch of 8: continuing with 4",
        "too little memory for a batch of 4: continuing with 2",
    ]


def test_too_little_memory_for_one_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        list(in_batches(with_memory_for(0, torch.OutOfMemoryError("no")), range(4), at_once=4))


def test_another_error_is_not_taken_for_lack_of_memory():
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        list(in_batches(with_memory_for(0, RuntimeError("mat1 and mat2 cannot be multiplied")), [1, 2], 2))


def test_items_of_an_iterator_are_not_lost_when_memory_runs_out():
    drawn = []
    items = (drawn.append(item) or item for item in range(11))
    results = in_batches(with_memory_for(3, torch.OutOfMemoryError("no")), items, at_once=4)
    assert next(results) == 0
    assert drawn == [0, 1, 2, 3]
    assert list(results) == [2 * item for item in range(1, 11)]


def test_no_items_give_no_results():
    assert list(in_batches(with_memory_for(0, RuntimeError("drawn")), [], at_once=2)) == []


def test_prefetched_results_are_in_order_and_not_more_than_allowed():
    started = []

    def prepare(item):
        started.append(item)
        time.sleep(0.01 * (item % 3))
        return -item

    results = prefetch(prepare, range(12), count=3)
    assert next(results) == 0
    assert len(started) <= 4
    assert list(results) == [-item for item in range(1, 12)]


def test_other_threads_prepare_while_the_caller_computes():
    caller = threading.current_thread()
    assert all(thread is not caller for thread in prefetch(lambda _: threading.current_thread(), range(3), 2))


def test_an_error_is_raised_at_the_place_of_its_item():
    def prepare(item):
        if item == 2:
            raise ValueError("item 2")
        return item

    results = prefetch(prepare, range(4), count=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="item 2"):
        next(results)
