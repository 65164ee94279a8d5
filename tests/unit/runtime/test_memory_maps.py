"""Pages of memory-mapped arrays are released without a change of their values."""

import subprocess
import sys

import numpy as np
import pytest

from samcarry.runtime.memory_maps import release_pages, scratch_array
from support.paths import SCRIPTS

GROWTH = """
import os, sys, numpy as np
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from samcarry.runtime.memory_maps import release_pages

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

array = np.lib.format.open_memmap(sys.argv[1], "r")
before = resident()
array.sum()
touched = resident() - before
release_pages(array)
print(touched, resident() - before)
"""


def test_values_stay_the_same(tmp_path):
    array = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint8, (3, 5000))
    array[:] = np.arange(15000).reshape(3, 5000) % 251
    expected = array.copy()
    release_pages(array)
    assert (array == expected).all()


def test_a_scratch_array_leaves_no_file_whatever_happens_to_its_process(tmp_path):
    array = scratch_array(tmp_path / "new", np.uint16, (3, 5))
    assert list((tmp_path / "new").iterdir()) == []
    assert (array == 0).all()
    array[1] = np.arange(5)
    release_pages(array)
    assert array[1].tolist() == [0, 1, 2, 3, 4]


def test_a_disk_that_is_too_small_for_a_scratch_array_raises_an_error(tmp_path):
    with pytest.raises(OSError, match=r"No space left|too large"):
        scratch_array(tmp_path, np.uint8, (1 << 60,))


def test_other_arrays_are_left_alone():
    array = np.ones(3)
    release_pages(array)
    assert (array == 1).all()


def test_the_memory_of_touched_pages_is_given_back(tmp_path):
    size = 20_000_000
    np.save(tmp_path / "a.npy", np.ones(size, np.uint8))
    command = [sys.executable, "-c", GROWTH, str(tmp_path / "a.npy"), str(SCRIPTS)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    touched, after = map(int, output.split())
    assert touched > 0.9 * size
    assert after < 0.2 * size
