"""What suits the hardware: number formats, how much at once, and less of it when memory runs out."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import Any, Literal, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

log = logging.getLogger(__name__)

Precision = Literal["auto", "float32", "bfloat16"]
T = TypeVar("T")
R = TypeVar("R")


def fast_format(device: str | torch.device) -> Literal["float32", "bfloat16"]:
    """What 'auto' means on a device: bfloat16 where it computes with it, else float32.

    These are GPUs since NVIDIA's Ampere, and CPUs with AMX or with AVX-512's bfloat16.
    """
    if torch.device(device).type == "cuda":
        has_it = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        has_it = any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))
    return "bfloat16" if has_it else "float32"


def autocast(precision: Precision, device: str | torch.device) -> torch.autocast:
    """A context in which torch computes in bfloat16 what bears it; one that changes nothing for float32."""
    wanted = fast_format(device) if precision == "auto" else precision
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=wanted == "bfloat16")


def fitting(device: str | torch.device, *, cpu: int, gpu: int) -> int:
    """How many to compute at once: on a CPU larger batches take fresh memory, and are slower for it."""
    return gpu if torch.device(device).type == "cuda" else cpu


def upload(values: NDArray[Any], device: str | torch.device) -> Tensor:
    """An array on a device; a GPU copies it while this process goes on, and works on meanwhile."""
    tensor = torch.from_numpy(values)
    if torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def ahead(prepare: Callable[[T], R], items: Iterable[T], count: int) -> Iterator[R]:
    """What `prepare` makes of all items, in order; up to `count` are made before they are asked for.

    Other threads make them, so that a device that computes is not kept waiting by what a CPU prepares.
    """
    with ThreadPoolExecutor(min(count, torch.get_num_threads())) as threads:
        coming: deque[Future[R]] = deque()
        for item in items:
            coming.append(threads.submit(prepare, item))
            if len(coming) > count:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def in_batches(compute: Callable[[list[T]], Iterable[R]], items: Iterable[T], at_once: int) -> Iterator[R]:
    """The answers to all items, in order; where memory runs out, batches are half as large from then on.

    Args:
        compute: from some items to as many answers.
        items: what is asked for.
        at_once: items in the first batches.

    Raises:
        torch.OutOfMemoryError, RuntimeError: memory does not suffice for a single item.
    """
    waiting = iter(items)
    while batch := list(islice(waiting, at_once)):
        try:
            answers = list(compute(batch))
        except RuntimeError as error:  # of which torch.OutOfMemoryError is one
            if not _out_of_memory(error) or len(batch) == 1:
                raise
        else:
            yield from answers
            continue
        # Not within `except`: there the traceback still holds the tensors of the try that failed.
        waiting = chain(batch, waiting)
        at_once = len(batch) // 2
        log.warning("memory does not suffice for %d at once: going on with %d", len(batch), at_once)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
