"""Number formats, batch sizes and uploads for a CPU or GPU."""

from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

Precision = Literal["auto", "float32", "bfloat16"]


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
