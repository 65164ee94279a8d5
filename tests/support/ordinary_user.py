"""Functions run as a user who may not do everything, also where the tests run as root."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NOBODY = 65534


def as_ordinary_user(function: Callable[[], Any]) -> Any:
    """The result of a function in a copy of this process without root's rights; its exceptions are raised.

    The copy may be unable to read Python's own files, so all modules have to be imported before.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
        try:
            sender.send((function(), None))
        except Exception as error:
            sender.send((None, error))

    process = context.Process(target=work)
    process.start()
    sender.close()
    result, error = receiver.recv()
    process.join()
    if error:
        raise error
    return result


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """A temporary folder that every user may enter and write, unlike that of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)
