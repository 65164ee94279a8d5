"""Networks of several seeds as one network, in one model file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samcarry.errors import DamagedError
from samcarry.networks.unet import Ensemble, UNet, load_unet

SHARED = ("classes", "size", "mean", "std", "window", "preparation", "width", "depth")
"""What has to be the same in all members: images are prepared once for all of them."""


def join(paths: Sequence[str | Path]) -> tuple[UNet, dict[str, Any]]:
    """The network that predicts the mean of several ones' probabilities, and the metadata of its model file.

    Raises:
        DamagedError: a file is missing or damaged, or does not fit the first one.
    """
    members, metadata = zip(*(load_unet(path) for path in paths), strict=True)
    for path, own in zip(paths, metadata, strict=True):
        for name in SHARED:
            if own.get(name) != metadata[0].get(name):
                raise DamagedError(path, f"its {name} is not that of {paths[0]}")
    about = {name: value for name, value in metadata[0].items() if name not in ("width", "depth", "made_by")}
    return Ensemble(members), about
