"""Many faults, told at once, so that a data set is mended in one round and not in twenty."""

from collections.abc import Sequence

from samcarry.errors import InputError

MOST_LINES = 50


def raise_faults(faults: Sequence[str]) -> None:
    """Raise one InputError with a line for each of `faults`, 50 at most; none, and nothing happens.

    Raises:
        InputError: if there is any fault.
    """
    if not faults:
        return
    # A file name may hold a line break; its fault stays one line.
    lines = [fault.replace("\r", " ").replace("\n", " ") for fault in faults[:MOST_LINES]]
    if len(faults) > MOST_LINES:
        lines.append(f"... and {len(faults) - MOST_LINES} more")
    raise InputError("\n".join(lines))


def shortlist(names: Sequence[str], most: int = 5) -> str:
    """Join `names` by commas, the first `most` of them: 'a, b, c and 4 more'."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
