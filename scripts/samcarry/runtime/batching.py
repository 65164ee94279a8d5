"""Batches on a device: items prepared in the background, and smaller batches when memory runs out.

Own code instead of a library: `torch.utils.data.DataLoader` cannot shrink its batches, and
`accelerate.utils.find_executable_batch_size` would be a new dependency.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

import torch

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")


def prefetch(prepare: Callable[[T], R], items: Iterable[T], count: int) -> Iterator[R]:
    """Yield `prepare(item)` for all items in order, computing up to `count` results in advance.

    Background threads compute them, so that a device does not wait for what the CPU prepares.
    """
    with ThreadPoolExecutor(min(count, torch.get_num_threads())) as threads:
        pending: deque[Future[R]] = deque()
        for item in items:
            pending.append(threads.submit(prepare, item))
            if len(pending) > count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def in_batches(compute: Callable[[list[T]], Iterable[R]], items: Iterable[T], at_once: int) -> Iterator[R]:
    """Yield the results of all items in order; when memory runs out, continue with half the batch size.

    Args:
        compute: maps a list of items to as many results.
        items: the items.
        at_once: items in the first batches.

    Raises:
        torch.OutOfMemoryError, RuntimeError: there is too little memory for a single item.
    """
    waiting = iter(items)
    while batch := list(islice(waiting, at_once)):
        try:
            results = list(compute(batch))
        except RuntimeError as error:  # torch.OutOfMemoryError is a RuntimeError
            if not _out_of_memory(error) or len(batch) == 1:
                raise
        else:
            yield from results
            continue
        # Not inside `except`: there the traceback still holds the tensors of the failed attempt.
        waiting = chain(batch, waiting)
        at_once = len(batch) // 2
        log.warning("too little memory for a batch of %d: continuing with %d", len(batch), at_once)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
