"""Files and folders of a data set that the user may not read are named in one line."""

import re
from functools import partial

import numpy as np
import pytest
from PIL import Image

from samcarry.data.cases import find_cases
from samcarry.data.checks import check_cases
from samcarry.errors import InputError
from samcarry.storage.reading import system_fault
from support.ordinary_user import as_ordinary_user, folder_for_all


def read(folder):
    """What is read of a data set, with errors of the system as a job reports them."""
    try:
        cases, _ = find_cases(folder, val_fraction=0, test_fraction=0)
        check_cases(cases)
    except OSError as error:
        raise InputError(str(system_fault(error.filename, error))) from None


@pytest.mark.parametrize("closed", ["images/a.png", "images", "labels/a/bone.png", "labels/a", "cases.csv"])
def test_what_may_not_be_read_is_named(closed):
    Image.init()  # before the process is another user's
    with folder_for_all() as folder:
        (folder / "images").mkdir()
        (folder / "labels/a").mkdir(parents=True)
        Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(folder / "images/a.png")
        Image.fromarray(np.full((8, 8), 255, np.uint8)).save(folder / "labels/a/bone.png")
        (folder / "cases.csv").write_text("case,split\na,train\n")
        read(folder)
        as_ordinary_user(partial(read, folder))
        (folder / closed).chmod(0o000)
        try:
            with pytest.raises(InputError) as error:
                as_ordinary_user(partial(read, folder))
        finally:
            (folder / closed).chmod(0o700)
    assert re.fullmatch(rf"{re.escape(str(folder / closed))}(/\S+)?: Permission denied; .*", str(error.value))
