"""The estimates of time and disk that `samcarry init` writes, against runs that were measured."""

import yaml

from samcarry.pipeline.settings import complete
from samcarry.setup.estimates import disk_gigabytes, training_seconds
from support.paths import ROOT


def test_the_demos_estimate_is_within_a_factor_of_two_of_the_measured_run():
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    assert complete(config, ROOT) == []
    seconds, networks = training_seconds(config, on_gpu=False)
    assert networks == 12
    assert 388 / 2 < seconds / 2 < 2 * 388  # the whole demo took 388 s on two cores


def test_sam_is_tuned_as_long_for_a_small_network():
    """800 steps on wrists at 128 x 80 pixels took 1446 s of CPU time, and the training of f_θ took 109 s."""
    config = {
        "preset": "none",
        "dataset": "wrist",
        "source": {"format": "phantom"},
        "n": 5,
        "images": {"height": 128, "width": 80},
        "seeds": [0],
        "methods": ["unet"],
        "training": {"width": 10, "iterations": 1600, "batch_size": 2},
        "zoom": {"model": "small"},
        "sam": {"model": "small", "models": {"small": {"model": "small", "file": "small.safetensors"}}},
    }
    assert complete(config, ROOT, with_files=False) == []
    first, _ = training_seconds(config, on_gpu=False)
    assert 109 / 2 < first < 2 * 109
    config["methods"].append("unet_sam_adapted")
    both, trainings = training_seconds(config, on_gpu=False)
    assert trainings == 2
    assert 1446 / 2 < both - first < 2 * 1446


def test_the_disk_of_a_small_demo_is_within_a_factor_of_two():
    """With 34 images, a run of the main line wrote 7.9 MB; half of that were embeddings."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    config |= {"seeds": [0], "images": {"height": 64, "width": 64}}
    config["training"] |= {"width": 4, "iterations": 30}
    assert complete(config, ROOT) == []
    assert 0.0079 / 2 < disk_gigabytes(config, images=34, classes=10) < 2 * 0.0079
