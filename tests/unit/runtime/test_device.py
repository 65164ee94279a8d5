"""What suits the hardware: number formats that leave geometry alone, less at once when memory is short."""

import logging
import threading
import time

import numpy as np
import pytest
import torch

from samcarry.networks.batches import draw_affine, warp
from samcarry.runtime.batching import ahead, in_batches
from samcarry.runtime.device import autocast, fast_format, fitting, upload


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
def test_where_memory_runs_out_the_batch_halves_and_every_answer_comes_once(error, caplog):
    with caplog.at_level(logging.WARNING):
        found = list(in_batches(with_memory_for(3, error), range(11), at_once=8))
    assert found == [2 * item for item in range(11)]
    assert [record.message for record in caplog.records] == [
        "memory does not suffice for 8 at once: going on with 4",
        "memory does not suffice for 4 at once: going on with 2",
    ]


def test_too_little_memory_for_one_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        list(in_batches(with_memory_for(0, torch.OutOfMemoryError("no")), range(4), at_once=4))


def test_another_error_is_not_taken_for_lack_of_memory():
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        list(in_batches(with_memory_for(0, RuntimeError("mat1 and mat2 cannot be multiplied")), [1, 2], 2))


def test_items_may_come_one_by_one_and_none_is_lost_where_memory_runs_out():
    asked = []
    coming = (asked.append(item) or item for item in range(11))
    answers = in_batches(with_memory_for(3, torch.OutOfMemoryError("no")), coming, at_once=4)
    assert next(answers) == 0
    assert asked == [0, 1, 2, 3]
    assert list(answers) == [2 * item for item in range(1, 11)]


def test_what_is_prepared_ahead_comes_in_order_and_no_further_ahead_than_said():
    begun = []

    def prepare(item):
        begun.append(item)
        time.sleep(0.01 * (item % 3))
        return -item

    answers = ahead(prepare, range(12), count=3)
    assert next(answers) == 0
    assert len(begun) <= 4
    assert list(answers) == [-item for item in range(1, 12)]


def test_others_prepare_while_the_caller_computes():
    caller = threading.current_thread()
    assert all(thread is not caller for thread in ahead(lambda _: threading.current_thread(), range(3), 2))


def test_what_cannot_be_prepared_stops_at_its_place():
    def prepare(item):
        if item == 2:
            raise ValueError("item 2")
        return item

    answers = ahead(prepare, range(4), count=2)
    assert [next(answers), next(answers)] == [0, 1]
    with pytest.raises(ValueError, match="item 2"):
        next(answers)


def test_an_array_comes_to_the_device_as_it_is():
    values = np.arange(6, dtype=np.uint8).reshape(2, 3)
    found = upload(values, "cpu")
    assert found.dtype == torch.uint8
    assert found.tolist() == values.tolist()


def test_no_items_no_answers():
    assert list(in_batches(with_memory_for(0, RuntimeError("asked")), [], at_once=2)) == []


@pytest.mark.parametrize(
    ("name", "wanted"), [("amx_bf16", "bfloat16"), ("avx512_bf16", "bfloat16"), ("avx2", "float32")]
)
def test_auto_takes_bfloat16_where_the_processor_computes_with_it(monkeypatch, name, wanted):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, name: True})
    assert fast_format("cpu") == wanted
    with autocast("auto", "cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == getattr(torch, wanted)


@pytest.mark.parametrize(("has_it", "wanted"), [(True, "bfloat16"), (False, "float32")])
def test_auto_asks_the_gpu_whether_it_has_bfloat16_of_its_own(monkeypatch, has_it, wanted):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: has_it or including_emulation
    )
    assert fast_format("cuda") == wanted


def test_float32_is_float32_on_every_processor():
    with autocast("float32", "cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_a_gpu_gets_more_at_once():
    assert (fitting("cpu", cpu=1, gpu=16), fitting("cuda", cpu=1, gpu=16)) == (1, 16)


def test_images_and_masks_are_moved_the_same_way_in_bfloat16():
    images = torch.rand(2, 1, 96, 224)
    theta = draw_affine(2, 0.03, torch.Generator().manual_seed(0))
    with autocast("bfloat16", "cpu"):
        half = warp(images, theta)
    assert torch.equal(half, warp(images, theta))
