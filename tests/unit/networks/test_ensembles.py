"""Networks of several seeds predict the mean of their probabilities, from one file."""

import numpy as np
import pytest
import torch

from samcarry.errors import DamagedError, InputError
from samcarry.networks.ensembles import join
from samcarry.networks.features import features_of
from samcarry.networks.unet import Ensemble, UNet, load_unet, save_unet
from samcarry.predict.models import load_model
from samcarry.predict.release import release
from support.tiny_models import METADATA

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 32), np.uint8)


def save_seeds(folder, count=3, **metadata):
    paths = []
    for seed in range(count):
        torch.manual_seed(seed)
        paths.append(folder / f"{seed}.safetensors")
        about = {**METADATA, "cases": ["a"], "made_by": {"seed": seed}}
        save_unet(paths[-1], UNet(2, width=4, depth=2), about | (metadata if seed else {}))
    return paths


def test_an_ensemble_predicts_the_mean_probability(tmp_path):
    paths = save_seeds(tmp_path)
    network, about = join(paths)
    save_unet(tmp_path / "all.safetensors", network, about)
    mean = np.mean([load_model(path, "cpu").predict(IMAGES).astype(float) for path in paths], axis=0)
    model = load_model(tmp_path / "all.safetensors", "cpu")
    assert np.abs(model.predict(IMAGES) - mean).max() <= 1  # rounding
    assert "made_by" not in about
    again, metadata = load_unet(tmp_path / "all.safetensors")
    assert isinstance(again, Ensemble)
    assert metadata["members"] == 3


def test_sure_members_have_finite_logits():
    class Sure(UNet):
        def forward(self, x):
            return torch.full((len(x), 2, *x.shape[2:]), 200.0)

    members = [Sure(2, width=4, depth=2) for _ in range(2)]
    assert Ensemble(members)(torch.zeros(1, 1, 16, 32)).isfinite().all()


def test_features_of_an_ensemble_are_those_of_its_first_member(tmp_path):
    paths = save_seeds(tmp_path, 2)
    network, _ = join(paths)
    one = features_of(load_unet(paths[0])[0], IMAGES, 0.4, 0.2)
    assert one.shape == (3, 16)
    np.testing.assert_array_equal(features_of(network.eval(), IMAGES, 0.4, 0.2), one)


def test_members_that_do_not_fit_are_refused(tmp_path):
    paths = save_seeds(tmp_path, 2, mean=0.5)
    with pytest.raises(DamagedError, match="mean"):
        join(paths)


@pytest.mark.parametrize("members", [0, 2, 10**9, "x"])
def test_a_wrong_number_of_members_is_damage(tmp_path, members):
    network, about = join(save_seeds(tmp_path))
    from samcarry.storage.model_files import write_model

    shape = {"width": 4, "depth": 2, "members": members}
    write_model(tmp_path / "all.safetensors", network.state_dict(), {**about, **shape})
    with pytest.raises(InputError):
        load_model(tmp_path / "all.safetensors", "cpu")


def test_an_ensemble_can_be_released(tmp_path):
    network, about = join(save_seeds(tmp_path))
    save_unet(tmp_path / "all.safetensors", network, about)
    release(tmp_path / "all.safetensors", tmp_path / "out")
    ours, theirs = (
        load_model(path, "cpu").predict(IMAGES)
        for path in (tmp_path / "all.safetensors", tmp_path / "out/model.safetensors")
    )
    np.testing.assert_array_equal(ours, theirs)
