"""A short version of `make faults`: a full disk, a damaged shard, an older image, a clock set back."""

import pytest

from faults import clock_set_back, damaged, disk_full, replaced
from support.campaign import Campaign, start_campaign


@pytest.fixture
def campaign(finished, tmp_path):
    return start_campaign(tmp_path, seed=1, reference=finished)


def survived(campaign: Campaign) -> bool:
    assert not campaign.failures, "\n".join(campaign.failures)
    return campaign.tries.total() > 0


def test_a_full_disk_is_reported_and_the_same_command_completes_the_run(campaign):
    try:
        disk_full(campaign, tries=1)
    except PermissionError as error:
        pytest.skip(f"NOT TRIED, because a full disk needs a mount: {error}")
    assert survived(campaign)


def test_an_image_replaced_by_an_older_one_is_noticed(campaign):
    replaced(campaign, older=True)
    assert survived(campaign)


def test_a_damaged_file_is_named_and_the_command_in_the_message_computes_it_again(campaign):
    damaged(campaign, tries=1)
    assert survived(campaign)


def test_a_clock_set_back_is_reported_and_the_command_in_the_message_fixes_it(campaign):
    clock_set_back(campaign, "results/demo/n3/seed0/refined/test-0000.nii.gz")
    assert survived(campaign)
