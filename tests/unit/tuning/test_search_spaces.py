"""Search spaces: the paper's ranges, the config's own settings, and equal settings for equal effects."""

import pytest

from samcarry.prompting.cleaning import CleaningSettings
from samcarry.tuning.search_spaces import cleaning_of, medsam_space, random_walk_space, sam_space

CLEANING = CleaningSettings("dilation", "disk", 2)
WALK = {"background_erosion": 4, "mask_erosion": 2, "sigma": 10}
NONE = {"operation": "none", "element": None, "radius": 0}


@pytest.mark.parametrize(
    "space",
    [
        sam_space(CLEANING, "box", "pos+neg", 8),
        sam_space(CleaningSettings("erosion", "star", 12), "box+pos", "box+pos+neg", 8),
        medsam_space(CLEANING, 1),
        random_walk_space(WALK, 16, 16, 20),
        random_walk_space({"background_erosion": 0, "mask_erosion": 30, "sigma": 0.5}, 16, 16, 20),
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
