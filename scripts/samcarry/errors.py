"""Errors that are shown to the user without a traceback, one line a problem."""

from collections.abc import Sequence
from pathlib import Path

_LONGEST_LINE = 1000


class InputError(ValueError):
    """Input that a person has to mend.

    The message is one line (or one line a fault): which file, what is wrong, what to do. Scripts
    print it without a traceback.
    """

    def __init__(self, message: str) -> None:
        # Messages quote files, which may hold anything, of any length.
        super().__init__("\n".join(_printable(line) for line in message.split("\n")))


class DamagedError(InputError):
    """A file that a rule made is damaged.

    The message tells which one and what is wrong with it. How it is made anew knows who ran the rule.
    """

    def __init__(self, path: str | Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = str(path)


def _printable(line: str) -> str:
    """A line without what a terminal would obey, cut in the middle if it is far too long."""
    line = "".join(character if character.isprintable() else " " for character in line)
    return line if len(line) <= _LONGEST_LINE else f"{line[:600]} … {line[-300:]}"


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
