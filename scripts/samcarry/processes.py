"""What a process owes to the one that started it."""

import ctypes
import signal
import sys

SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


def end_with_parent() -> None:
    """Have Linux kill this process when the one that started it ends, however that ends.

    Elsewhere nothing happens: there it may outlive its parent, which wastes time and spoils nothing.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)
