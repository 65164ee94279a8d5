"""A stopped prediction goes on where it stopped, and never uses or replaces what it should not."""

import csv
import errno
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from samcarry.errors import InputError
from samcarry.predict.models import Model
from samcarry.predict.new_images import predict_folder
from samcarry.predict.unfinished import _lock

FORMATS = ("png", "overlay", "labelmap", "nifti", "coco", "cvat", "yolo", "segnrrd", "nnunet")
NAMES = [f"{number}.png" for number in range(6)]


class Stopped(BaseException):
    """What a signal raises."""


class Counting:
    """Predicts that bright pixels belong to the only class; may stop at the call number `stop`."""

    def __init__(self, stop=None, then=lambda: None):
        self.calls, self.stop, self.then = 0, stop, then

    def __call__(self, images):
        if self.calls == self.stop:
            self.then()
            raise Stopped
        self.calls += 1
        return np.where(images > 100, 255, 0).astype(np.uint8)[:, None]


def model(predict, **changes):
    return replace(Model(predict, ("bright",), (16, 16), 0.5, 0.25, None, "0" * 64), **changes)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        picture = np.zeros((20 + number, 30), np.uint8)
        picture[5 : 8 + number, 3:20] = 90 if number == 3 else 200  # number 3 has no bright pixel
        Image.fromarray(picture).save(folder / name)
    return folder


def content(folder):
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {name: path.read_bytes() if path.is_file() else None for name, path in sorted(files.items())}


def stopped_after(images, count, then=lambda: None, **options):
    with pytest.raises(Stopped):
        predict_folder(model(Counting(count, then)), images, images.parent / "out", FORMATS, **options)
    return images.parent / "out", images.parent / "out.unfinished"


def test_only_missing_images_are_predicted_and_the_result_is_that_of_an_undisturbed_call(images):
    out, left = stopped_after(images, 4)
    assert not out.exists()
    assert left.is_dir()
    again = Counting()
    predict_folder(model(again), images, out, FORMATS)
    assert again.calls == 2
    assert not left.exists()
    predict_folder(model(Counting()), images, images.parent / "whole", FORMATS)
    assert content(out) == content(images.parent / "whole")
    assert [image["file_name"] for image in json.loads((out / "coco.json").read_text())["images"]] == NAMES
    with (out / "images.csv").open(newline="") as stream:
        assert [row["file"] for row in csv.DictReader(stream)] == NAMES


def test_a_call_may_be_stopped_often(images):
    for _ in range(5):
        out, _ = stopped_after(images, 1)
    again = Counting()
    predict_folder(model(again), images, out, FORMATS)
    assert again.calls == 1


def test_a_call_that_finished_no_image_leaves_nothing(images):
    out, left = stopped_after(images, 0)
    assert not out.exists()
    assert not left.exists()


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({"sha256": "1" * 64}, {}),
        ({}, {"formats": ("png",)}),
        ({}, {"one_component": True}),
        ({}, {"window": (1.0, 99.0)}),
        ({"mirrored": "right"}, {"laterality": "right"}),
    ],
)
def test_another_model_or_option_predicts_all_images_again(images, change, options):
    out, _ = stopped_after(images, 4)
    again = Counting()
    predict_folder(model(again, **change), images, out, **{"formats": FORMATS, **options})
    assert again.calls == len(NAMES)
    predict_folder(
        model(Counting(), **change), images, images.parent / "whole", **{"formats": FORMATS, **options}
    )
    assert content(out) == content(images.parent / "whole")


def test_only_the_image_whose_side_changed_is_predicted_again(images):
    mirrored = {"mirrored": "right"}
    sheet = images.parent / "sides.csv"
    rows = ["file,laterality", *(f"{name},L" for name in NAMES)]
    sheet.write_text("\n".join(rows))
    with pytest.raises(Stopped):
        predict_folder(model(Counting(4), **mirrored), images, images.parent / "out", laterality=str(sheet))
    sheet.write_text("\n".join(rows).replace("1.png,L", "1.png,R"))
    again = Counting()
    predict_folder(model(again, **mirrored), images, images.parent / "out", laterality=str(sheet))
    assert again.calls == 3


def test_a_changed_image_is_predicted_again_and_a_removed_one_is_not_in_the_result(images):
    out, _ = stopped_after(images, 4)
    status = (images / "1.png").stat()
    Image.new("L", (30, 21), 200).save(images / "1.png")
    os.utime(images / "1.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    (images / "2.png").unlink()
    again = Counting()
    cases, _ = predict_folder(model(again), images, out, FORMATS)
    assert again.calls == 3
    assert cases == ["0", "1", "3", "4", "5"]
    predict_folder(model(Counting()), images, images.parent / "whole", FORMATS)
    assert content(out) == content(images.parent / "whole")


@pytest.mark.parametrize("damage", ["cut", "flip", "missing", "record", "extra"])
def test_damaged_results_are_made_again_and_others_removed(images, damage):
    out, left = stopped_after(images, 4)
    [mask] = left.rglob("masks/1/bright.png")
    record = next(iter(left.rglob("*.json")))
    if damage == "cut":
        mask.write_bytes(mask.read_bytes()[:20])
    elif damage == "flip":
        changed = bytearray(mask.read_bytes())
        changed[-20] ^= 1
        mask.write_bytes(changed)
    elif damage == "missing":
        mask.unlink()
    elif damage == "record":
        record.write_text(record.read_text().replace('"row": ["', '"row": ["x', 1))
    else:
        (mask.parent / "rubbish.png").write_bytes(b"x")
        (mask.parent.parent / "empty").mkdir()
    again = Counting()
    predict_folder(model(again), images, out, FORMATS)
    assert again.calls == (2 if damage == "extra" else 3)
    predict_folder(model(Counting()), images, images.parent / "whole", FORMATS)
    assert content(out) == content(images.parent / "whole")


def test_an_image_that_is_written_while_another_one_stops_is_finished(images):
    """With two threads, the result is the same, and also after a stop."""
    out, _ = stopped_after(images, 4, threads=2)
    again = Counting()
    predict_folder(model(again), images, out, FORMATS, threads=2)
    assert again.calls == 2
    predict_folder(model(Counting()), images, images.parent / "whole", FORMATS)
    assert content(out) == content(images.parent / "whole")


def test_faults_of_finished_images_are_reported_again(images):
    (images / "a.png").write_bytes(b"rubbish")  # sorted last
    out, _ = stopped_after(images, 4)
    _, faults = predict_folder(model(Counting()), images, out, FORMATS)
    assert len(faults) == 1
    assert "a.png" in faults[0]


@pytest.mark.parametrize("kind", ["folder", "empty", "file", "link", "ours"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_appears_meanwhile_is_never_replaced(images, kind, overwrite):
    out = images.parent / "out"

    def appear():
        if kind == "file":
            out.write_text("mine")
        elif kind == "link":
            out.symlink_to("elsewhere")
        else:
            out.mkdir()
            if kind != "empty":
                (out / ("predict.json" if kind == "ours" else "thesis.txt")).write_text("mine")

    class Appearing(Counting):
        def __call__(self, images):
            if self.calls == 3:
                appear()
            return super().__call__(images)

    with pytest.raises(InputError, match="appeared while") as caught:
        predict_folder(model(Appearing()), images, out, FORMATS, overwrite=overwrite)
    assert "\n" not in str(caught.value)
    assert out.is_symlink() or out.exists()
    assert not (out / "masks").exists()
    if kind != "link":
        shutil.rmtree(out) if out.is_dir() else out.unlink()
    else:
        out.unlink()
    again = Counting()
    predict_folder(model(again), images, out, FORMATS)
    assert again.calls == 0


def test_an_older_result_stays_until_the_new_one_is_complete(images):
    out = images.parent / "out"
    predict_folder(model(Counting()), images, out, FORMATS)
    before = content(out)
    stopped_after(images, 4, overwrite=True)
    assert content(out) == before
    predict_folder(model(Counting()), images, out, ("png",), overwrite=True)
    assert not (out / "coco.json").exists()
    assert sorted(path.name for path in images.parent.iterdir()) == ["images", "out"]


def test_a_second_call_at_the_same_time_is_refused(images):
    out = images.parent / "out"

    class Nested(Counting):
        def __call__(self, batch):
            if self.calls == 2:
                with pytest.raises(InputError, match="another samcarry predict"):
                    predict_folder(model(Counting()), images, out, FORMATS)
            return super().__call__(batch)

    predict_folder(model(Nested()), images, out, FORMATS)
    predict_folder(model(Counting()), images, images.parent / "whole", FORMATS)
    assert content(out) == content(images.parent / "whole")


def test_an_unfinished_folder_of_the_user_is_not_touched(images):
    mine = images.parent / "out.unfinished"
    mine.mkdir()
    (mine / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="was not made by samcarry predict"):
        predict_folder(model(Counting()), images, images.parent / "out", FORMATS)
    assert (mine / "thesis.txt").read_text() == "mine"


def test_results_are_never_written_around_the_images(images):
    hidden = images.rename(images.parent / "out.unfinished")
    with pytest.raises(InputError, match="choose another folder"):
        predict_folder(model(Counting()), hidden, images.parent / "out", FORMATS)
    assert len(list(hidden.iterdir())) == len(NAMES)


def test_a_lock_file_that_was_removed_does_not_count(tmp_path):
    """A process may open it just before another one removes it with all results."""
    path = tmp_path / "lock"
    with path.open("ab") as stream:
        assert _lock(stream.fileno(), path)
        path.unlink()
        assert not _lock(stream.fileno(), path)
        path.touch()
        assert not _lock(stream.fileno(), path)


def test_without_locks_of_the_file_system_it_goes_on(tmp_path, monkeypatch, caplog):
    def unsupported(*arguments):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr("samcarry.predict.unfinished.fcntl.flock", unsupported)
    with (tmp_path / "lock").open("ab") as stream:
        assert _lock(stream.fileno(), tmp_path / "lock")
    assert "cannot be locked" in caplog.text
