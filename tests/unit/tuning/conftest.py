"""Cases and trials that the tests of tuning share."""

import pytest

from samcarry.tuning.objective import read_cases
from support.tuning_cases import REFERENCE, probabilities, write_shards
from support.tuning_study import run


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return read_cases(*write_shards(tmp_path_factory.mktemp("shards"), probabilities(), REFERENCE))


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The trials of a study that no one interrupted."""
    return run(tmp_path_factory.mktemp("undisturbed") / "j")
