"""The estimate of time that `samcarry init` writes, against a run that was measured."""

from pathlib import Path

import yaml

from samcarry.pipeline.settings import complete
from samcarry.setup.starting import training_seconds

ROOT = Path(__file__).resolve().parents[3]


def test_the_demos_estimate_is_within_a_factor_of_two_of_the_measured_run():
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    assert complete(config, ROOT) == []
    seconds, networks = training_seconds(config, on_gpu=False)
    assert networks == 12
    assert 388 / 2 < seconds / 2 < 2 * 388  # the whole demo took 388 s on two cores
