"""First images are found, embedded in chunks that survive a kill, proposed and drawn."""

import csv
import os

import numpy as np
import pytest
from PIL import Image

from samcarry.errors import InputError
from samcarry.review.first_images import (
    CHUNK,
    draw_contact_sheet,
    find_first_images,
    pooled_embeddings,
    propose,
    write_first,
)


@pytest.fixture
def folder(tmp_path):
    """A data set of images without labels."""
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(0)
    for number in range(CHUNK + 8):
        values = rng.integers(0, 255, (12, 10), np.uint8)
        Image.fromarray(values).save(tmp_path / "images" / f"p{number // 2:02d}_{number % 2}.png")
    return tmp_path


class Embed:
    """Replaces SAM: returns ten channels of one grey value each and fails after `lives` images."""

    def __init__(self, lives=10_000):
        self.calls, self.lives = 0, lives

    def __call__(self, greys):
        for grey in greys:
            if self.calls == self.lives:
                raise KeyboardInterrupt
            self.calls += 1
            yield grey[:2].reshape(-1, 1, 1).astype(np.float16)


def embedded(folder, embed, sam_id="tiny", **settings):
    images = find_first_images(folder, None, [])
    options = {"size": (6, 5), "window": None, "text_masked": False, "sam_id": sam_id, **settings}
    return pooled_embeddings(images, embed, folder / "cache", **options)


def test_a_data_set_without_any_label_has_first_images(folder):
    images = find_first_images(folder, "^([^_]+)_", [])
    assert len(images) == CHUNK + 8
    assert not any(image.labelled for image in images)
    assert {image.patient for image in images} == {f"p{number:02d}" for number in range(20)}


def test_a_killed_run_resumes_at_its_last_chunk_with_the_same_embeddings(folder):
    with pytest.raises(KeyboardInterrupt):
        embedded(folder, Embed(lives=CHUNK + 3))
    rest = Embed()
    resumed = embedded(folder, rest)
    assert rest.calls == 8
    fresh = embedded(folder, Embed(), sam_id="another SAM")
    np.testing.assert_array_equal(resumed, fresh)


def test_embeddings_are_computed_again_if_image_size_or_sam_changed(folder):
    embedded(folder, Embed())
    for changes in ({"sam_id": "other"}, {"size": (8, 5)}, {"window": (1, 99)}, {"text_masked": True}):
        again = Embed()
        embedded(folder, again, **changes)
        assert again.calls == CHUNK + 8
    assert len(list((folder / "cache").iterdir())) == 2


def test_an_image_replaced_by_one_of_the_same_size_and_time_is_embedded_again(folder):
    """Files of the user count by their content, as docs/reruns.md says."""
    (folder / "images/p00_0.png").unlink()
    image = folder / "images/p00_0.tif"  # without compression, so that both have one size
    results = []
    for value in (10, 200):
        Image.fromarray(np.full((12, 10), value, np.uint8)).save(image)
        os.utime(image, (1e9, 1e9))
        results.append(embedded(folder, Embed())[0])
    assert results[0].max() == 10
    assert results[1].min() == 200


def test_all_unreadable_images_are_reported_at_once(folder):
    for name in ("p00_0", "p18_1"):
        (folder / f"images/{name}.png").write_bytes(b"")
    with pytest.raises(InputError) as error:
        embedded(folder, Embed())
    assert len(str(error.value).splitlines()) == 2


def test_labelled_images_are_not_proposed_and_hidden_labels_do_not_count(folder):
    for case in ("p00_0", "p01_0", "p02_0"):
        (folder / "labels" / case).mkdir(parents=True)
    (folder / "cases.csv").write_text("case,split,sex\np00_0,train,f\np01_0,test,f\np02_0,unlabelled,m\n")
    images = find_first_images(folder, None, ["sex"])
    assert [image.case for image in images if image.labelled] == ["p00_0"]
    assert "p01_0" not in {image.case for image in images}
    embeddings = np.random.default_rng(0).random((len(images), 4)).astype(np.float32)
    chosen = propose(images, embeddings, columns=["sex"], count=40, seed=0)
    names = [image.case for image, _ in chosen]
    assert "p00_0" not in names
    assert names[0] == "p02_0"  # the only m; f is covered by a labelled image
    write_first(folder / "first.csv", chosen, ["sex"])
    rows = list(csv.DictReader((folder / "first.csv").read_text().splitlines()))
    assert (rows[0]["order"], rows[0]["case"], rows[0]["sex"]) == ("1", "p02_0", "m")


def test_a_missing_column_is_reported(folder):
    with pytest.raises(InputError, match=r"has no column 'age' .*review\.first\.columns"):
        find_first_images(folder, None, ["age"])


def test_no_image_to_propose_is_reported(folder):
    images = find_first_images(folder, None, [])[:1]
    labelled = [type(images[0])("a", "a", images[0].image, True, {})]
    with pytest.raises(InputError, match="every image already has labels"):
        propose(labelled, np.zeros((1, 2), np.float32), columns=[], count=3, seed=0)


def test_the_contact_sheet_shows_every_image(folder):
    images = find_first_images(folder, None, [])[:10]
    draw_contact_sheet(folder / "sheet.png", images, None, False)
    sheet = np.asarray(Image.open(folder / "sheet.png"))
    two = find_first_images(folder, None, [])[:2]
    draw_contact_sheet(folder / "two.png", two, None, False)
    assert sheet.shape[0] > np.asarray(Image.open(folder / "two.png")).shape[0]
    assert sheet.std() > 10
