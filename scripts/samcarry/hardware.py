"""What suits the hardware: number formats, how much at once, and less of it when memory runs out."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeVar

import torch
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Precision = Literal["auto", "float32", "bfloat16"]
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


def in_batches(
    compute: Callable[[Any], Iterable[R]], items: Sequence[Any] | NDArray[Any], at_once: int
) -> Iterator[R]:
    """The answers to all items, in order; where memory runs out, batches are half as large from then on.

    Args:
        compute: from some items to as many answers.
        items: what is asked for.
        at_once: items in the first batches.

    Raises:
        torch.OutOfMemoryError, RuntimeError: memory does not suffice for a single item.
    """
    start = 0
    while start < len(items):
        batch = items[start : start + at_once]
        try:
            answers = list(compute(batch))
        except RuntimeError as error:  # of which torch.OutOfMemoryError is one
            if not _out_of_memory(error) or len(batch) == 1:
                raise
        else:
            yield from answers
            start += len(batch)
            continue
        # Not within `except`: there the traceback still holds the tensors of the try that failed.
        at_once = len(batch) // 2
        log.warning("memory does not suffice for %d at once: going on with %d", len(batch), at_once)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
