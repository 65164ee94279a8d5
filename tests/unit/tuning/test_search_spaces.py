"""Search spaces: the paper's ranges, the config's own settings, and equal settings for equal effects."""

import pytest

from samcarry.prompting.cleaning import CleaningSettings
from samcarry.tuning.search_spaces import (
    cleaning_of,
    fuse_weights,
    medsam_space,
    random_walk_space,
    sam_space,
    zoom_space,
)

CLEANING = CleaningSettings("dilation", "disk", 2)
WALK = {"background_erosion": 4, "mask_erosion": 2, "sigma": 10}
NONE = {"operation": "none", "element": None, "radius": 0}
ON_CROPS = {
    "first": "box",
    "second": "box+pos+neg",
    "zoom": 3,
    "prior": "P",
    "fuse": 0.5,
    "multimask": False,
    "prompts": 1,
}
FAR_OFF = ON_CROPS | {"first": "pos", "second": "pos", "zoom": 2.7, "fuse": 0.123, "prompts": 16}


@pytest.mark.parametrize(
    "space",
    [
        sam_space(CLEANING, "box", "pos+neg", 8),
        sam_space(CleaningSettings("erosion", "star", 12), "box+pos", "box+pos+neg", 8),
        medsam_space(CLEANING, 1),
        random_walk_space(WALK, 16, 16, 20),
        random_walk_space({"background_erosion": 0, "mask_erosion": 30, "sigma": 0.5}, 16, 16, 20),
        zoom_space(ON_CROPS, three_masks=True),
        zoom_space(FAR_OFF, three_masks=True),
        zoom_space(ON_CROPS | {"zoom": None, "second": None, "fuse": 0}, three_masks=True),
    ],
)
def test_the_configs_own_settings_are_in_the_space_however_far_they_lie(space):
    for name, distribution in space.distributions.items():
        assert distribution._contains(distribution.to_internal_repr(space.default[name]))


def test_the_spaces_are_those_of_the_paper():
    space = sam_space(CLEANING, "box", "pos+neg", 8).distributions
    assert space["first"].choices == ("box", "pos", "pos+neg")
    assert space["second"].choices == ("box", "pos", "pos+neg", "mask", None)
    assert space["element"].choices == ("square", "disk", "diamond", "star")
    assert (space["growth"].low, space["growth"].high) == (-8, 8)
    walk = random_walk_space(WALK, 16, 15, 20).distributions
    assert [(d.low, d.high) for d in walk.values()] == [(1, 16), (0, 15), (1, 20)]


@pytest.mark.parametrize("element", ["square", "disk", "diamond", "star"])
@pytest.mark.parametrize("growth", [-3, -2, 0, 2, 3])
def test_a_draw_means_its_operation_element_and_radius(element, growth):
    settings = medsam_space(CLEANING, 8).settings_of({"element": element, "growth": growth})
    cleaning = cleaning_of(settings)
    if growth == 0:
        assert settings == NONE
        assert cleaning.operation == "none"
    else:
        operation = "erosion" if growth < 0 else "dilation"
        assert cleaning == CleaningSettings(operation, element, abs(growth))


def test_settings_that_do_the_same_are_the_same():
    settings_of = medsam_space(CLEANING, 8).settings_of
    nothing = [{"element": "star", "growth": 0}, *({"element": "square", "growth": g} for g in (-1, 0, 1))]
    assert [settings_of(draw) for draw in nothing] == [NONE] * 4
    assert settings_of({"element": "disk", "growth": 1})["operation"] == "dilation"


@pytest.mark.parametrize("operation", ["none", "dilation", "erosion"])
def test_the_default_draw_means_the_configs_cleaning(operation):
    cleaning = CleaningSettings(operation, "disk", 3)
    space = sam_space(cleaning, "pos", None, 8)
    settings = space.settings_of(space.default)
    assert (settings["first"], settings["second"], settings["operation"]) == ("pos", None, operation)
    assert settings["radius"] == (0 if operation == "none" else 3)


def test_sigma_has_three_significant_digits():
    settings = random_walk_space(WALK, 16, 16, 20).settings_of({**WALK, "sigma": 7.12345})
    assert settings == {**WALK, "sigma": 7.12}


@pytest.mark.parametrize("configured", [ON_CROPS, FAR_OFF, ON_CROPS | {"zoom": None, "second": None}])
def test_the_default_draw_means_the_configs_way_to_ask_on_crops(configured):
    space = zoom_space(configured, three_masks=True)
    assert space.settings_of(space.default) == configured


def test_the_space_on_crops_has_several_zooms_and_weights_in_steps_of_a_tenth():
    space = zoom_space(ON_CROPS, three_masks=True)
    assert space.distributions["zoom"].choices == (2, 3, 4)
    assert zoom_space(FAR_OFF, three_masks=True).distributions["zoom"].choices == (2, 3, 4, 2.7)
    indices = space.distributions["weight"]
    drawn = [
        space.settings_of({**space.default, "weight": index})["fuse"]
        for index in range(indices.low, indices.high + 1)
    ]
    assert drawn == [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def test_the_weights_are_in_order_so_that_the_sampler_sees_which_are_close():
    assert fuse_weights(0.55) == (0.3, 0.4, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9, 1.0)


def test_the_first_pass_on_crops_has_a_box_unless_the_config_says_otherwise():
    assert all(
        "box" in kind for kind in zoom_space(ON_CROPS, three_masks=True).distributions["first"].choices
    )
    assert "pos" in zoom_space(FAR_OFF, three_masks=True).distributions["first"].choices


def test_a_model_with_one_mask_is_not_asked_for_three():
    assert zoom_space(ON_CROPS, three_masks=False).distributions["multimask"].choices == (False,)
    assert zoom_space(ON_CROPS, three_masks=True).distributions["multimask"].choices == (False, True)
