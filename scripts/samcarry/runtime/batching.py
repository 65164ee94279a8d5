"""Preparing items in background threads, and smaller batches when memory runs out."""

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
