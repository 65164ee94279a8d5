"""Chosen images cover the space better than random ones, and every group and patient is covered."""

import numpy as np
import pytest

from samcarry.review.coverage import choose_first, feature_space


def drawn(count=200, seed=0):
    """Embeddings in a few clusters of different sizes, like those of views and exposures."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(8, 16)) * 4
    kind = rng.choice(8, size=count, p=[0.5, 0.2, 0.1, 0.05, 0.05, 0.04, 0.03, 0.03])
    return (centres[kind] + rng.normal(size=(count, 16))).astype(np.float32), kind


def farthest(space, chosen):
    """The largest distance of any image to the nearest chosen one."""
    distances = np.linalg.norm(space.features[:, None] - space.features[None, chosen], axis=2)
    return distances.min(axis=1).max()


@pytest.mark.parametrize("seed", range(3))
def test_the_chosen_cover_the_space_better_than_any_of_a_hundred_random_draws(seed):
    embeddings, _ = drawn(seed=seed)
    space = feature_space(embeddings, {})
    chosen = [choice.index for choice in choose_first(space, range(200), 12)]
    rng = np.random.default_rng(seed)
    draws = [farthest(space, rng.choice(200, 12, replace=False)) for _ in range(100)]
    assert farthest(space, chosen) < min(draws)


def test_every_group_of_the_metadata_is_covered():
    embeddings, _ = drawn()
    rng = np.random.default_rng(1)
    sex = rng.choice(["f", "m", ""], 200, p=[0.02, 0.93, 0.05]).tolist()
    age = rng.integers(1, 18, 200).astype(str).tolist()
    space = feature_space(embeddings, {"sex": sex, "age": age})
    chosen = choose_first(space, range(200), 8)
    covered = set().union(*(space.groups[choice.index] for choice in chosen))
    assert covered == set().union(*space.groups)
    assert {value for name, value in covered if name == "sex"} == {"f", "m"}
    assert len({value for name, value in covered if name == "age"}) == 4


def test_metadata_distinguish_images_that_look_alike():
    space = feature_space(np.ones((6, 4), np.float32), {"age": ["1", "2", "3", "4", "5", "30"]})
    assert 5 in [choice.index for choice in choose_first(space, range(6), 5)]


def test_a_second_image_of_a_patient_comes_after_the_first_of_every_patient():
    embeddings, _ = drawn(30)
    patients = [place // 3 for place in range(30)]
    chosen = [patients[choice.index] for choice in choose_first(feature_space(embeddings, {}), patients, 15)]
    assert sorted(chosen[:10]) == list(range(10))
    assert len(chosen) == 15


def test_labelled_images_are_not_chosen_and_cover_their_neighbours():
    embeddings = np.array([[0, 0], [0.1, 0], [10, 0], [10.1, 0], [0, 10]], np.float32)
    chosen = choose_first(feature_space(embeddings, {}), range(5), 2, labelled=[0, 2])
    assert chosen[0].index == 4
    assert {choice.index for choice in chosen}.isdisjoint({0, 2})


def test_distances_decrease_and_the_first_is_undefined():
    chosen = choose_first(feature_space(drawn()[0], {}), range(200), 10)
    distances = [choice.distance for choice in chosen]
    assert np.isnan(distances[0])
    assert distances[1:] == sorted(distances[1:], reverse=True)


def test_the_same_seed_gives_the_same_choice_and_a_large_count_chooses_all_images():
    space = feature_space(drawn(9)[0], {})
    once, again = choose_first(space, range(9), 40, seed=3), choose_first(space, range(9), 40, seed=3)
    assert repr(once) == repr(again)
    assert sorted(choice.index for choice in once) == list(range(9))
