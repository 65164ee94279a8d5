"""Which paths of a config's source are watched: a changed file must not go unnoticed."""

import pytest

from samcarry.pipeline.sources import (
    is_table_study,
    paths_by_split,
    source_files,
    source_folders,
    user_paths,
)


@pytest.mark.parametrize(
    ("annotations", "paths"),
    [
        ("a.json", {"": ["a.json"]}),
        (["a.json", "b"], {"": ["a.json", "b"]}),
        ({"train": "a.json", "val": ["b", "c"], "test": []}, {"train": ["a.json"], "val": ["b", "c"]}),
    ],
)
def test_annotations_are_written_in_three_ways(annotations, paths):
    assert paths_by_split(annotations) == paths


def test_files_folders_and_patterns_are_told_apart(tmp_path):
    (tmp_path / "ann").mkdir()
    paths = [f"{tmp_path}/ann", f"{tmp_path}/a.json", f"{tmp_path}/ann/{{case}}/{{class}}.png"]
    source = {
        "format": "coco",
        "coco": {"images": "images", "annotations": paths, "cases": "c.csv", "counts": None},
    }
    assert source_files(source) == ["c.csv", f"{tmp_path}/a.json"]
    assert source_folders(source) == ["images", f"{tmp_path}/ann", f"{tmp_path}/ann"]


def test_a_study_with_a_table_is_read_with_its_tables():
    block = {
        "images": "i",
        "annotations": {"train": ["t.xml"]},
        "table": "d.csv",
        "order": None,
        "unlabelled": 500,
    }
    source = {"format": "cvat", "cvat": block}
    assert is_table_study(source)
    assert source_files(source) == ["d.csv", "t.xml"]
    assert not is_table_study({"format": "cvat", "cvat": block | {"table": None}})


def test_the_phantom_watches_nothing_and_a_folder_what_is_read_of_it():
    assert user_paths({"format": "phantom", "phantom": {"seed": 0}}) == []
    assert user_paths({"format": "folder", "folder": "mine"}) == [
        "mine/images",
        "mine/labels",
        "mine/cases.csv",
    ]


def test_an_import_watches_its_files_and_folders():
    source = {"format": "coco", "coco": {"images": "i", "annotations": "a.json", "cases": "c.csv"}}
    assert user_paths(source) == ["c.csv", "a.json", "i"]


def test_a_table_of_masks_is_read_with_the_folder_of_the_masks(tmp_path):
    (tmp_path / "masks").mkdir()
    block = {"images": "i", "annotations": f"{tmp_path}/masks.csv", "masks": None}
    assert source_folders({"format": "mask_table", "mask_table": block}) == ["i", str(tmp_path)]
    in_folder = block | {"annotations": f"{tmp_path}/masks"}
    assert source_folders({"format": "mask_table", "mask_table": in_folder}) == ["i", f"{tmp_path}/masks"]
    block["masks"] = f"{tmp_path}/masks"
    assert source_folders({"format": "mask_table", "mask_table": block}) == ["i", f"{tmp_path}/masks"]
