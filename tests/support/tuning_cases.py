"""Two validation cases with three classes and probability maps of f_θ, for tests of tuning."""

import numpy as np

from samcarry.storage.stacks import Stack, write_stack

SIZE = (40, 30)


def bar(first, last):
    """A mask of columns `first` to `last` - 1."""
    mask = np.zeros(SIZE, dtype=bool)
    mask[5:35, first:last] = True
    return mask


EMPTY = bar(0, 0)


def probabilities():
    """Probability maps: f_θ finds classes 0 and 1 in the first case, and 0 and 2 in the second case."""
    maps = np.zeros((2, 3, *SIZE), dtype=np.uint8)
    maps[0, 0][bar(2, 10)] = 200
    maps[0, 0, 37:, 20:] = 140  # a second, less likely component
    maps[0, 1][bar(12, 20)] = 180
    maps[1, 0][bar(4, 12)] = 250
    maps[1, 2][bar(15, 25)] = 220
    return maps


REFERENCE = np.stack([[bar(2, 12), bar(12, 20), bar(20, 24)], [bar(4, 10), EMPTY, EMPTY]])


def write_shards(folder, maps, masks, mask_cases=("x", "y")):
    """Write one shard of maps and one of masks; return their paths as two lists."""
    write_stack(folder / "p.nii.gz", Stack(maps, "probability", ("x", "y"), ("a", "b", "c")))
    write_stack(folder / "m.nii.gz", Stack(masks.astype(np.uint8), "mask", mask_cases, ("a", "b", "c")))
    return [str(folder / "p.nii.gz")], [str(folder / "m.nii.gz")]
