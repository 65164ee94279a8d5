"""Reading nnU-Net's pickled files without running what a changed file could hold.

nnU-Net unpickles its checkpoints and the properties of its preprocessed cases. A pickle can name any
function, so only plain values, tensors and arrays are accepted here.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar

from samcarry.errors import DamagedError
from samcarry.storage.reading import reading
from samcarry.storage.states import read_state

_OF_CHECKPOINTS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    scalar,
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
    np.dtypes.Int64DType,
]
_OF_PROPERTIES = ("_reconstruct", "ndarray", "dtype", "scalar")  # of NumPy


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """A checkpoint of nnU-Net that was written as a state, see `storage.states`.

    Raises:
        DamagedError: it is missing or damaged, or holds more than values, tensors and NumPy's numbers.
        InputError: the operating system cannot read it.
    """
    content = read_state(path)
    try:
        with torch.serialization.safe_globals(_OF_CHECKPOINTS):
            checkpoint: dict[str, Any] = torch.load(content, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError) as error:
        raise DamagedError(path, "this is not a checkpoint of nnU-Net") from error
    return checkpoint


def read_properties(path: str | Path) -> Any:
    """The properties of a case that nnU-Net has preprocessed; a replacement of nnU-Net's `load_pickle`.

    Raises:
        DamagedError: it is missing or damaged, or holds more than values and arrays.
        InputError: the operating system cannot read it.
    """
    with reading(path), Path(path).open("rb") as stream:
        try:
            return _Properties(stream).load()
        except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError) as error:
            raise DamagedError(path, f"these properties of a case are damaged ({error})") from error


class _Properties(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "numpy" and name in _OF_PROPERTIES:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}")
