"""Number formats, batch sizes and uploads for a CPU or GPU."""

from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

from samcarry.runtime.memory_maps import release_pages

Precision = Literal["auto", "float32", "bfloat16"]


def fast_format(device: str | torch.device) -> Literal["float32", "bfloat16"]:
    """The number format that 'auto' stands for: bfloat16 if the device computes in it, else float32.

    NVIDIA GPUs compute in bfloat16 since Ampere; so do CPUs with AMX or the bfloat16 part of AVX-512.
    """
    if torch.device(device).type == "cuda":
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        has_bfloat16 = any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))
    return "bfloat16" if has_bfloat16 else "float32"


def autocast(precision: Precision, device: str | torch.device) -> torch.autocast:
    """An autocast context: bfloat16 where torch considers it safe, or a no-op for float32."""
    wanted = fast_format(device) if precision == "auto" else precision
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=wanted == "bfloat16")


def batch_size_for(device: str | torch.device, *, cpu: int, gpu: int) -> int:
    """The batch size for a device; large batches are slower on CPUs, as they allocate new memory."""
    return gpu if torch.device(device).type == "cuda" else cpu


def upload_rows(array: NDArray[Any], rows: NDArray[Any], device: str | torch.device) -> Tensor:
    """Copy rows of an array, which may be memory-mapped, to a device; mapped pages are released."""
    values = upload(array[rows], device)
    release_pages(array)
    return values


def upload(values: NDArray[Any], device: str | torch.device) -> Tensor:
    """Copy an array to a device, asynchronously to a GPU."""
    tensor = torch.from_numpy(values)
    if torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
