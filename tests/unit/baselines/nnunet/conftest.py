"""A plan and a training of nnU-Net, shared by its tests."""

import multiprocessing.process

import pytest

from support.tiny_nnunet import fit, pictures, plan_of


@pytest.fixture(scope="session")
def planned(tmp_path_factory):
    """The folder and the plan of four cases; planning must not start processes."""
    folder = tmp_path_factory.mktemp("nnunet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiprocessing.process.BaseProcess, "start", no_process)
        return folder, plan_of(folder, pictures(4))


def no_process(self):
    raise AssertionError("planning started a process, which would outlive a killed job")


@pytest.fixture(scope="session")
def straight(planned, tmp_path_factory):
    """The weights of an uninterrupted training."""
    return fit(planned, tmp_path_factory.mktemp("straight") / "work")
