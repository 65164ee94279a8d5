"""Invalid input stops a run before any training, with one line that names the file or key."""

import hashlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from samcarry.data.manifest import read_manifest
from samcarry.data.phantoms import draw_phantoms, write_dataset
from samcarry.images.grey import read_grey, resize_grey, write_grey
from samcarry.images.text import mask_text
from samcarry.storage.stacks import read_stack
from support.burned_text import burn


def lines_with(text, *parts):
    return [line for line in text.splitlines() if all(part in line for part in parts)]


def assert_stops(project, *parts):
    """The run fails with a line that contains all `parts`, prints no traceback and trains nothing."""
    outcome = project.run()
    assert outcome.returncode != 0
    assert lines_with(outcome.stdout, *parts), outcome.stdout
    assert "Traceback" not in outcome.stdout
    assert "train_f_theta dataset" not in outcome.stdout
    made = [p for p in (project.folder / "results").rglob("*") if p.suffix in (".gz", ".safetensors")]
    assert made == []


def test_a_misspelt_key_is_named(project):
    project.configure(cleaning={"raduis": 3})
    assert_stops(project, "config: cleaning", "'raduis' was unexpected")


def test_a_key_of_the_wrong_type_is_named(project):
    project.configure(training={"iterations": "many"})
    assert_stops(project, "config: training.iterations", "'many' is not of type 'integer'")


def test_a_size_that_the_network_cannot_halve_is_named(project):
    project.configure(images={"height": 30, "width": 32})
    assert_stops(project, "images.height is 30", "multiple of 4")


def test_fewer_labelled_cases_than_n(project):
    project.configure(n=4)
    assert_stops(project, "has 3 labelled cases", "n = 4", "lower n")


def tiny_entry(**changes):
    return {"models": {"tiny": {"model": "tiny", "file": "resources/tiny_sam.safetensors", **changes}}}


def test_a_missing_checkpoint(project):
    project.configure(sam=tiny_entry(file="resources/nowhere.pth"))
    assert_stops(project, "resources/nowhere.pth", "no such file")


def test_a_checkpoint_of_another_hash(project):
    project.configure(sam=tiny_entry(sha256=hashlib.sha256(b"other").hexdigest()))
    assert_stops(project, "resources/tiny_sam.safetensors", "SHA-256 is", "the config expects")


def test_a_checkpoint_of_another_variant(project):
    project.configure(sam=tiny_entry(model="vit_b", sha256=None))
    assert_stops(project, "these are not the weights of 'vit_b'", "They fit 'tiny'")


OWN = {"format": "folder", "folder": "mine"}


@pytest.fixture
def own_data(project):
    """A project with a folder of PNGs, as a user has one."""
    counts = {"train": 3, "val": 1, "test": 2, "unlabelled": 4}
    phantoms = draw_phantoms(counts=counts, seed=0, height=64, width=64)
    write_dataset(phantoms, project.folder / "mine")
    project.configure(source=OWN)
    return project


def first_image(project):
    return sorted((project.folder / "mine/images").iterdir())[0]


def test_a_truncated_image(own_data):
    image = first_image(own_data)
    image.write_bytes(image.read_bytes()[:200])
    assert_stops(own_data, str(image.relative_to(own_data.folder)))


def test_image_and_label_of_different_size(own_data):
    image = first_image(own_data)
    Image.fromarray(np.zeros((60, 64), np.uint8)).save(image)
    assert_stops(own_data, image.stem, "60", "64")


def test_all_faults_are_reported_at_once(own_data):
    images = sorted((own_data.folder / "mine/images").iterdir())[:2]
    for image in images:
        image.write_bytes(b"")
    output = own_data.run().stdout
    assert all(lines_with(output, image.name) for image in images)


def test_a_patient_in_two_splits(own_data):
    sheet = own_data.folder / "mine/cases.csv"
    lines = sheet.read_text().splitlines()
    test_row = next(i for i, line in enumerate(lines) if ",test," in line)
    train_patient = next(line for line in lines if ",train," in line).split(",")[1]
    fields = lines[test_row].split(",")
    lines[test_row] = ",".join([fields[0], train_patient, *fields[2:]])
    sheet.write_text("\n".join(lines))
    assert_stops(own_data, "cases.csv", f"patient '{train_patient}'", "train", "test")


def rows_in(own_data, split):
    """The names of the cases of a split."""
    lines = (own_data.folder / "mine/cases.csv").read_text().splitlines()[1:]
    return [line.split(",")[0] for line in lines if line.split(",")[2] == split]


def test_the_same_image_in_train_and_test_in_another_format(own_data):
    images = own_data.folder / "mine/images"
    one, other = rows_in(own_data, "train")[0], rows_in(own_data, "test")[0]
    (images / f"{other}.png").unlink()
    Image.open(images / f"{one}.png").save(images / f"{other}.tif")
    assert_stops(
        own_data, f"images/{one}.png (in train)", f"images/{other}.tif (in test)", "are the same image"
    )


def test_copies_of_test_images_are_left_out_or_named(own_data):
    images = own_data.folder / "mine/images"
    test, validation = rows_in(own_data, "test")[0], rows_in(own_data, "val")[0]
    same, alike = rows_in(own_data, "unlabelled")[:2]
    (images / f"{same}.png").write_bytes((images / f"{test}.png").read_bytes())
    ImageOps.mirror(Image.open(images / f"{validation}.png")).save(images / f"{alike}.png")
    outcome = own_data.run("results/demo/manifest.csv")
    assert outcome.returncode == 0, outcome.stdout
    assert lines_with(outcome.stdout, f"images/{same}.png", f"images/{test}.png", f"left out {same}")
    assert lines_with(
        outcome.stdout, f"images/{alike}.png", f"images/{validation}.png", "mirrored", "accepted_dup"
    )
    named = [line.split(",")[0] for line in own_data.read("results/demo/manifest.csv").splitlines()]
    assert same not in named
    assert alike in named


def test_an_edited_manifest_is_refused(own_data):
    target = "results/demo/prepared/train-0000/images.nii.gz"
    assert own_data.run("results/demo/manifest.csv").returncode == 0
    path = own_data.folder / "results/demo/manifest.csv"
    good = path.read_text()
    row = next(line for line in good.splitlines() if ",test-0000,test," in line)
    case, _, _, patient, _, *rest = row.split(",")
    path.write_text(good.replace(row, ",".join([case, "train-0000", "train", patient, "3", *rest])))
    outcome = own_data.run(target)
    assert outcome.returncode != 0
    assert lines_with(outcome.stdout, "manifest.csv: its content has changed", "Delete this file"), (
        outcome.stdout
    )
    assert "Traceback" not in outcome.stdout
    assert not (own_data.folder / target).exists()
    path.unlink()
    assert own_data.run(target).returncode == 0
    assert path.read_text() == good


def test_a_fault_in_a_prepared_study_is_reported_each_time_and_no_case_moves_when_it_is_fixed(own_data):
    target = "results/demo/prepared/train-0000/images.nii.gz"
    assert own_data.run(target).returncode == 0
    manifest = own_data.read("results/demo/manifest.csv")
    bad = own_data.folder / "mine/images/0.png"
    bad.write_bytes(b"no image")
    for _ in range(2):
        outcome = own_data.run(target)
        assert outcome.returncode != 0
        assert lines_with(outcome.stdout, "mine/images/0.png"), outcome.stdout
    bad.unlink()
    assert own_data.run(target).returncode == 0
    assert own_data.read("results/demo/manifest.csv") == manifest


def test_a_missing_shard_is_named_together_with_the_existing_ones(project):
    outcome = project.run("results/demo/prepared/train-000/images.nii.gz")
    assert outcome.returncode != 0
    assert lines_with(outcome.stdout, "there is no shard train-000", "train-0000"), outcome.stdout


def test_every_case_labelled_is_noticed_before_training_or_hides_labels_on_request(own_data):
    sheet = own_data.folder / "mine/cases.csv"
    sheet.write_text(sheet.read_text().replace(",unlabelled,", ",train,"))
    assert_stops(own_data, "every case has labels", "set `splits: {hide_labels_beyond: 3}`", "3 of the 7")
    own_data.configure(splits={"hide_labels_beyond": 3})
    outcome = own_data.run("results/demo/manifest.csv")
    assert outcome.returncode == 0, outcome.stdout
    assert len(rows_in_manifest(own_data, "train")) == 3
    hidden = rows_in_manifest(own_data, "unlabelled")
    assert len(hidden) == 4
    assert all("labels/" in row for row in hidden)


def rows_in_manifest(own_data, split):
    return [row for row in own_data.read("results/demo/manifest.csv").splitlines() if f",{split}," in row]


def burn_text(project):
    """Write a date into the first image; return the new grey values."""
    image = first_image(project)
    burned = burn(read_grey(image), "12.03.78", (3, 3), size=12)
    write_grey(image, burned)
    return burned


def test_likely_mistakes_are_warnings_of_the_input_checks(own_data):
    burn_text(own_data)
    own_data.configure(source=OWN, images={"height": 16, "width": 96})
    outcome = own_data.run("results/demo/manifest.csv")
    assert outcome.returncode == 0, outcome.stdout
    assert lines_with(outcome.stdout, "squeezed", "images: {height:")
    assert lines_with(outcome.stdout, "1 of 10 images", "images: {mask_text: true}")


def test_text_is_filled_before_a_network_sees_an_image(own_data):
    burned = burn_text(own_data)
    own_data.configure(source=OWN, images={"mask_text": True})
    case = first_image(own_data).stem
    outcome = own_data.run("results/demo/manifest.csv")
    assert outcome.returncode == 0, outcome.stdout
    assert not lines_with(outcome.stdout, "mask_text")
    rows = read_manifest(own_data.folder / "results/demo/manifest.csv")
    stack = f"results/demo/prepared/{next(row.shard for row in rows if row.case == case)}/images.nii.gz"
    outcome = own_data.run(stack)
    assert outcome.returncode == 0, outcome.stdout
    images = read_stack(own_data.folder / stack)
    seen = images.values[images.cases.index(case)]
    assert not np.array_equal(mask_text(burned, True)[0], burned)
    assert np.array_equal(seen, resize_grey(mask_text(burned, True)[0], *seen.shape))
