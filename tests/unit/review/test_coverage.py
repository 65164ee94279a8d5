"""First images: farther apart than random ones, every group met, a patient at a time."""

import numpy as np
import pytest

from samcarry.review.coverage import choose_first, space_of


def drawn(count=200, seed=0):
    """Embeddings in a few uneven clusters, as views and exposures make them."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(8, 16)) * 4
    kind = chance.choice(8, size=count, p=[0.5, 0.2, 0.1, 0.05, 0.05, 0.04, 0.03, 0.03])
    return (centres[kind] + chance.normal(size=(count, 16))).astype(np.float32), kind


def farthest(space, chosen):
    """How far the image that is covered worst lies from the nearest chosen one."""
    distances = np.linalg.norm(space.features[:, None] - space.features[None, chosen], axis=2)
    return distances.min(axis=1).max()


@pytest.mark.parametrize("seed", range(3))
def test_the_chosen_cover_the_space_better_than_any_of_a_hundred_random_draws(seed):
    embeddings, _ = drawn(seed=seed)
    space = space_of(embeddings, {})
    chosen = [choice.index for choice in choose_first(space, range(200), 12)]
    chance = np.random.default_rng(seed)
    draws = [farthest(space, chance.choice(200, 12, replace=False)) for _ in range(100)]
    assert farthest(space, chosen) < min(draws)


def test_every_group_of_the_metadata_is_met():
    embeddings, _ = drawn()
    chance = np.random.default_rng(1)
    sex = chance.choice(["f", "m", ""], 200, p=[0.02, 0.93, 0.05]).tolist()
    age = chance.integers(1, 18, 200).astype(str).tolist()
    space = space_of(embeddings, {"sex": sex, "age": age})
    chosen = choose_first(space, range(200), 8)
    met = set().union(*(space.groups[choice.index] for choice in chosen))
    assert met == set().union(*space.groups)
    assert {value for name, value in met if name == "sex"} == {"f", "m"}
    assert len({value for name, value in met if name == "age"}) == 4


def test_metadata_spread_images_that_look_alike():
    space = space_of(np.ones((6, 4), np.float32), {"age": ["1", "2", "3", "4", "5", "30"]})
    assert 5 in [choice.index for choice in choose_first(space, range(6), 5)]


def test_a_second_image_of_a_patient_comes_after_everybodys_first():
    embeddings, _ = drawn(30)
    patients = [place // 3 for place in range(30)]
    chosen = [patients[choice.index] for choice in choose_first(space_of(embeddings, {}), patients, 15)]
    assert sorted(chosen[:10]) == list(range(10))
    assert len(chosen) == 15


def test_labelled_images_are_not_taken_and_cover_what_lies_near():
    embeddings = np.array([[0, 0], [0.1, 0], [10, 0], [10.1, 0], [0, 10]], np.float32)
    chosen = choose_first(space_of(embeddings, {}), range(5), 2, labelled=[0, 2])
    assert chosen[0].index == 4
    assert {choice.index for choice in chosen}.isdisjoint({0, 2})


def test_distances_fall_and_the_first_has_none():
    chosen = choose_first(space_of(drawn()[0], {}), range(200), 10)
    distances = [choice.distance for choice in chosen]
    assert np.isnan(distances[0])
    assert distances[1:] == sorted(distances[1:], reverse=True)


def test_the_same_seed_gives_the_same_choice_and_all_are_taken_where_there_are_few():
    space = space_of(drawn(9)[0], {})
    once, again = choose_first(space, range(9), 40, seed=3), choose_first(space, range(9), 40, seed=3)
    assert repr(once) == repr(again)
    assert sorted(choice.index for choice in once) == list(range(9))
