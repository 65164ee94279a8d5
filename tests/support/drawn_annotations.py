"""What an annotation that was read looks like."""

import numpy as np
from numpy.typing import NDArray

from samcarry.formats.rasterise import draw
from samcarry.formats.shapes import Annotation


def drawn(annotation: Annotation) -> dict[str, NDArray[np.bool_]]:
    """The masks by class, at the size that the annotation tells; nothing of it may be at fault."""
    assert annotation.size is not None
    faults: list[str] = []
    masks = draw(annotation, *annotation.size, faults)
    assert not faults
    return masks
