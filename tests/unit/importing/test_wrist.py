"""Import of wrist studies: what is imported, what is skipped and counted, what is mirrored."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samcarry.data.cases import find_cases
from samcarry.data.left_out import read_left_out
from samcarry.errors import InputError
from samcarry.images.grey import read_grey
from samcarry.images.masks import read_mask
from samcarry.importing.wrist import import_cvat
from support.paths import SHARED

WRIST = SHARED / "wrist"
GREY = np.arange(30, dtype=np.uint8).reshape(5, 6)
LEFT, RIGHT, LATERAL = "0001_1_01_WRI-L1_F003", "0002_1_01_WRI-R1_M010", "0003_1_01_WRI-L2_M010"
VAL, PLAIN, UNUSED = "0004_1_01_WRI-R1_F009", "0005_1_01_WRI-R1_M008", "0006_1_01_WRI-L1_M008"


def write_annotations(path: Path, *stems: str, bone: str = "Os capitatum") -> Path:
    """One bone in columns 0 and 1 of row 0 of each image."""
    path.write_text(
        "<annotations>"
        + "".join(
            f'<image name="{stem}.png" width="6" height="5"><polygon label="Knochen" '
            f'points="0,0;2,0;2,1;0,1"><attribute name="Anatomie">{bone}</attribute></polygon>'
            '<polygon label="Knochen" points="0,0;2,0;2,1;0,1"><attribute name="Anatomie">Sonstiges'
            "</attribute></polygon></image>"
            for stem in stems
        )
        + "</annotations>"
    )
    return path


@pytest.fixture
def study(tmp_path) -> dict:
    """Arguments of `import_cvat` for a small study of six images."""
    (tmp_path / "images" / "part1").mkdir(parents=True)
    stems = (LEFT, RIGHT, LATERAL, VAL, PLAIN, UNUSED)
    for stem in stems:
        values = GREY.astype(np.uint16) * 257  # as GRAZPEDWRI-DX stores them
        Image.fromarray(values).save(tmp_path / "images" / "part1" / f"{stem}.png")
    rows = [f"{stem},{int(stem[:4])},{stem[14]},{stem[15]}" for stem in stems]
    rows.append("missing,7,L,1")
    table = "filestem,patient_id,laterality,projection\n" + "\n".join(rows)
    (tmp_path / "dataset.csv").write_text(table)
    (tmp_path / "order.csv").write_text(f",file_stem\n0,{RIGHT}\n1,{LEFT}\n")
    return {
        "images": tmp_path / "images",
        "annotations": {
            "train": [
                write_annotations(tmp_path / "train1.xml", LEFT, LATERAL, "1498"),
                write_annotations(tmp_path / "train2.xml", RIGHT, "missing"),
            ],
            "val": [write_annotations(tmp_path / "val.xml", VAL)],
        },
        "table": tmp_path / "dataset.csv",
        "order": tmp_path / "order.csv",
        "unlabelled": None,
        "label": "Knochen",
        "attribute": "Anatomie",
        "classes": ["Os capitatum", "Ulna"],
        "destination": tmp_path / "out" / "wrist",
    }


def refused(study: dict, **changes) -> list[str]:
    """The faults, one line each; also checks that nothing is left behind."""
    with pytest.raises(InputError) as caught:
        import_cvat(**{**study, **changes})
    destination = study["destination"]
    assert not destination.parent.exists() or not list(destination.parent.iterdir())
    return str(caught.value).splitlines()


def test_the_result_is_a_data_set(study):
    import_cvat(**study)
    cases, warnings = find_cases(study["destination"])
    assert [(c.case, c.patient, c.split, c.order, c.labels is not None) for c in cases] == [
        (LEFT, "1", "train", 1, True),
        (RIGHT, "2", "train", 0, True),
        (VAL, "4", "val", None, True),
        (PLAIN, "5", "unlabelled", None, False),
        (UNUSED, "6", "unlabelled", None, False),
    ]
    assert len(warnings) == 1  # no test split
    files = [file.name for file in (study["destination"] / "labels" / LEFT).iterdir()]
    assert files == ["Os capitatum.png"]


def test_right_hands_and_their_masks_are_mirrored_and_left_ones_are_not(study):
    import_cvat(**study)
    out = study["destination"]
    for stem, flip in ((LEFT, False), (RIGHT, True), (VAL, True)):
        grey = read_grey(out / "images" / f"{stem}.png")
        mask = read_mask(out / "labels" / stem / "Os capitatum.png")
        assert grey.tolist() == (GREY[:, ::-1] if flip else GREY).tolist()
        assert np.argwhere(mask).tolist() == ([[0, 4], [0, 5]] if flip else [[0, 0], [0, 1]])
    assert read_grey(out / "images" / f"{PLAIN}.png").tolist() == GREY[:, ::-1].tolist()


def test_mirroring_and_frontal_only_can_be_turned_off(study):
    import_cvat(**study, mirror_right=False, frontal_only=False)
    out = study["destination"]
    assert read_grey(out / "images" / f"{RIGHT}.png").tolist() == GREY.tolist()
    assert (out / "images" / f"{LATERAL}.png").exists()


def test_shapes_that_cover_the_centre_of_no_pixel_are_counted_and_named(study):
    (path,) = study["annotations"]["val"]
    path.write_text(path.read_text().replace("0,0;2,0;2,1;0,1", "0.6,0.6;0.9,0.6;0.9,0.9", 1))
    assert import_cvat(**study)[-1] == (
        f"skipped 1 shapes that cover the centre of no pixel, as of a stray click: {VAL} (Os capitatum)"
    )


def test_skipped_images_are_counted_and_named(study):
    train, val, unlabelled, dropped = import_cvat(**study)
    assert train == (
        "train: imported 2 of 5 images, 1 of them mirrored; skipped "
        f"1 not frontal ({LATERAL}), 1 not in the table (1498), 1 without an image file (missing)"
    )
    assert val == "val: imported 1 of 1 images, 1 of them mirrored"
    assert unlabelled == "unlabelled: imported 2 of 2 images, 1 of them mirrored"
    assert dropped == "dropped 6 shapes of other classes: Sonstiges 6"
    left_out = {"not frontal": 1, "not in the table": 1, "without an image file": 1}
    assert read_left_out([study["destination"] / "left_out.csv"]) == left_out


def test_a_list_chooses_the_unlabelled_images_and_missing_ones_are_counted(study, tmp_path):
    names = tmp_path / "unlabelled.csv"
    names.write_text(f",filestem\n0,{UNUSED}\n1,{LEFT}\n2,gone\n")
    *_, line, _ = import_cvat(**{**study, "unlabelled": names})
    # LEFT is annotated; missing images are named.
    assert line.startswith("unlabelled: imported 1 of 2 images")
    assert line.endswith("1 not in the table (gone)")
    assert not (study["destination"] / "images" / f"{PLAIN}.png").exists()


def test_the_requested_number_of_unlabelled_images_is_drawn_with_a_seed(study):
    drawn = set()
    for seed in range(9):
        *_, line, _ = import_cvat(**{**study, "unlabelled": 1}, seed=seed)
        assert line.startswith("unlabelled: imported 1 of 1 images")
        (name,) = {PLAIN, UNUSED} & {file.stem for file in (study["destination"] / "images").iterdir()}
        drawn.add(name)
    assert drawn == {PLAIN, UNUSED}
    *_, line, _ = import_cvat(**{**study, "unlabelled": 500})
    assert line.startswith("unlabelled: imported 2 of 2 images")


def test_a_second_import_replaces_the_first(study):
    import_cvat(**study)
    (study["destination"] / "images" / "stale.png").touch()
    import_cvat(**study)
    assert not (study["destination"] / "images" / "stale.png").exists()
    assert [folder.name for folder in study["destination"].parent.iterdir()] == ["wrist"]


def test_a_split_without_any_image_is_a_fault(study, tmp_path):
    annotations = {**study["annotations"], "test": [write_annotations(tmp_path / "t.xml", "gone")]}
    (line,) = refused(study, annotations=annotations)
    assert "has no image of test" in line
    assert "1 not in the table (gone)" in line
    names = tmp_path / "unlabelled.csv"
    names.write_text("filestem\ngone\n")
    (line,) = refused(study, unlabelled=names)
    assert line.startswith(f"{names}: none of its images is in {study['images']}")
    assert "1 not in the table (gone)" in line
    names.write_text("\n".join(["filestem", *(f"gone{number}" for number in range(500))]))
    (line,) = refused(study, unlabelled=names)
    assert "500 not in the table (gone0, gone1, gone2, gone3, gone4 and 495 more)" in line


def test_faults_of_all_images_are_reported_together(study):
    part = study["images"] / "part1"
    Image.fromarray(GREY.T).save(part / f"{RIGHT}.png")
    (part / f"{PLAIN}.png").write_bytes(b"")
    size, empty = refused(study)
    assert size.startswith(f"{part / RIGHT}.png: is 5 x 6, but its annotation in")
    assert "for 6 x 5" in size
    assert empty.startswith(f"{part / PLAIN}.png: the file is empty")


def test_an_annotation_of_a_namesake_in_another_folder_is_refused(study, tmp_path, caplog):
    train = [write_annotations(tmp_path / "train1.xml", f"part2/{LEFT}")]
    (line,) = refused(study, annotations={**study["annotations"], "train": train})
    assert f"image 'part2/{LEFT}' has no file" in line
    assert str(study["images"] / "part1" / LEFT) in line
    train = [write_annotations(tmp_path / "train1.xml", f"part1/{LEFT}", RIGHT)]
    import_cvat(**{**study, "annotations": {**study["annotations"], "train": train}})
    assert f"{RIGHT} -> part1/{RIGHT}.png" in caplog.text
    assert LEFT not in caplog.text
    rows = (study["destination"] / "cases.csv").read_text().splitlines()
    assert rows[0].endswith(",mirrored,imported_from")
    assert rows[1].endswith(f",0,part1/{LEFT}.png")


def test_a_namesake_without_an_image_is_only_skipped(study, tmp_path):
    train = [write_annotations(tmp_path / "train1.xml", f"part1/{LEFT}", f"part2/{LEFT}")]
    line, *_ = import_cvat(**{**study, "annotations": {**study["annotations"], "train": train}})
    assert "imported 1 of 2 images" in line
    assert f"1 without an image file (part2/{LEFT})" in line


def test_an_image_that_is_annotated_twice(study, tmp_path):
    again = write_annotations(tmp_path / "again.xml", LEFT, VAL)
    (line,) = refused(study, annotations={**study["annotations"], "val": [again]})
    assert line.startswith(f"{again}: image '{LEFT}.png' is annotated in train already")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("filestem,patient_id,laterality", "has no column 'projection'"),
        ("filestem,patient_id,laterality,projection\na,1,X,1", "laterality 'X'"),
        ("filestem,patient_id,laterality,projection\na,1,L,frontal", "projection 'frontal'"),
        ("filestem,patient_id,laterality,projection\na,1,L,1\na,1,L,1", "two rows for 'a'"),
    ],
)
def test_faults_of_the_table(study, text, fault):
    study["table"].write_text(text)
    (line,) = refused(study)
    assert line.startswith(str(study["table"]))
    assert fault in line


def test_faults_of_all_files_are_reported_together(study, tmp_path):
    (tmp_path / "broken.xml").write_text("<annotations>")
    lateral = write_annotations(tmp_path / "other.xml", VAL, bone="Femur")
    outside = write_annotations(tmp_path / "outside.xml", "../" + PLAIN)
    annotations = {**study["annotations"], "val": [tmp_path / "broken.xml", lateral, outside]}
    broken, other, leaving = refused(study, annotations=annotations)
    assert broken.startswith(f"{tmp_path / 'broken.xml'}: is not readable XML")
    assert other.startswith(f"{lateral}: none of its shapes has a wanted class (it has Femur")
    assert leaving.startswith(f"{outside}: image '../{PLAIN}.png' has a path that leads out of")


def test_an_order_without_names(study):
    study["order"].write_text("0,1\n")
    (line,) = refused(study)
    assert line.startswith(f"{study['order']}: has no column filestem")


def test_the_folder_of_the_images_is_never_overwritten(study):
    for destination in (study["images"], study["images"].parent):
        with pytest.raises(InputError, match="would overwrite"):
            import_cvat(**{**study, "destination": destination})
    assert len(list((study["images"] / "part1").iterdir())) == 6


@pytest.mark.skipif(not WRIST.is_dir(), reason=f"the authors' annotations are not at {WRIST}")
def test_the_authors_validation_split(tmp_path):
    names = tmp_path / "unlabelled.csv"
    names.write_text("filestem\n7000_1315159421_01_WRI-L1_M011\n")
    lines = import_cvat(
        images=WRIST / "images",
        annotations={"val": [WRIST / "cvat" / "annotations_val.xml"]},
        table=WRIST / "dataset.csv",
        order=None,
        unlabelled=names,
        label="Knochen",
        attribute="Anatomie",
        classes=["Radius", "Ulna", "Os capitatum"],
        destination=tmp_path / "wrist",
    )
    assert lines[0] == (
        "val: imported 10 of 12 images, 4 of them mirrored; skipped 2 not in the table (1498, 2077)"
    )
    for image in sorted((tmp_path / "wrist" / "images").glob("*R1*.png")):
        grey = read_grey(image)
        radius = read_mask(tmp_path / "wrist" / "labels" / image.stem / "Radius.png")
        # Bone is brighter than its surroundings, and brighter than the mirrored position.
        assert grey[radius].mean() > grey.mean() + 30
        assert grey[radius].mean() > grey[radius[:, ::-1]].mean() + 10


def test_unreadable_unlabelled_images_are_skipped_and_listed_on_request(study):
    (study["images"] / "part1" / f"{PLAIN}.png").write_bytes(b"no image")
    assert any(PLAIN in line for line in refused(study))
    lines = import_cvat(**study, unreadable="skip")
    (skipped,) = [line for line in lines if "unreadable" in line]
    assert skipped.startswith("skipped 1 unreadable images without labels: ")
    assert PLAIN in skipped
    assert not (study["destination"] / "images" / f"{PLAIN}.png").exists()
    (study["images"] / "part1" / f"{LEFT}.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=LEFT):
        import_cvat(**study, unreadable="skip")
