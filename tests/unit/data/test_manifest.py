"""The order of training cases is stable, shards are permanent, and a manifest can be read back."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samcarry.data.cases import Case
from samcarry.data.contract import SPLITS
from samcarry.data.manifest import (
    ManifestRow,
    assign_shards,
    has_hidden_labels,
    judged_split,
    manifest_rows,
    missing_methods,
    order_training_cases,
    previous_shards,
    read_manifest,
    write_manifest,
)
from samcarry.errors import DamagedError, InputError
from samcarry.storage.checksums import write_checksums


def make(name: str, split: str = "train", order: int | None = None) -> Case:
    labels = None if split == "unlabelled" else Path("/data/labels") / name
    return Case(name, f"patient {name}", split, order, Path(f"/data/images/{name}.png"), labels)


def test_the_first_training_case_covers_most_classes(tmp_path):
    cases = [make("a"), make("b"), make("c"), make("v", "val")]
    classes = {"a": {"x"}, "b": {"x", "y"}, "c": {"x", "z"}, "v": {"x", "y", "z"}}
    order = order_training_cases(cases, classes, seed=0)
    assert order[0] == "b"  # before c by name
    assert sorted(order) == ["a", "b", "c"]


def test_an_explicit_order_comes_first_and_the_others_follow():
    cases = [make("a"), make("b", order=7), make("c", order=-1), make("d")]
    order = order_training_cases(cases, {"a": {"x", "y"}}, seed=0)
    assert order[:2] == ["c", "b"]
    assert sorted(order[2:]) == ["a", "d"]


def test_the_seed_permutes_the_rest_and_a_new_case_does_not_change_the_order():
    cases = [make(f"case{number:02}") for number in range(20)]
    classes = {"case00": {"x"}}
    order = order_training_cases(cases, classes, seed=0)
    assert order != sorted(order)
    assert order != order_training_cases(cases, classes, seed=1)
    assert order == order_training_cases(cases[::-1], classes, seed=0)
    more = order_training_cases([*cases, make("new")], classes, seed=0)
    assert [name for name in more if name != "new"] == order


def test_shards_are_filled_by_name_and_contain_one_split():
    cases = [make(name, "unlabelled") for name in "edcba"] + [make("t"), make("v", "val")]
    assert assign_shards(cases, {}, shard_size=2) == {
        "a": "unlabelled-0000",
        "b": "unlabelled-0000",
        "c": "unlabelled-0001",
        "d": "unlabelled-0001",
        "e": "unlabelled-0002",
        "t": "train-0000",
        "v": "val-0000",
    }


def test_new_cases_fill_the_last_shard_and_not_the_gaps_of_removed_cases():
    before = assign_shards([make(name, "unlabelled") for name in "bcdef"], {}, shard_size=2)
    after = assign_shards([make(name, "unlabelled") for name in "acdefg"], before, shard_size=2)
    assert {name: after[name] for name in "cdef"} == {name: before[name] for name in "cdef"}
    assert (after["a"], after["g"]) == ("unlabelled-0002", "unlabelled-0003")


def test_the_last_shard_is_the_one_of_the_highest_number_whatever_its_cases_are_called():
    before = {"a": "train-0003", "b": "train-0001"}
    assert assign_shards([make("a"), make("b"), make("c")], before, 1)["c"] == "train-0004"


def test_a_case_that_changes_its_split_changes_its_shard():
    assert assign_shards([make("a", "val")], {"a": "unlabelled-0004"}, 2) == {"a": "val-0000"}


def test_a_smaller_shard_size_does_not_split_old_shards():
    before = assign_shards([make(name) for name in "abc"], {}, shard_size=3)
    after = assign_shards([make(name) for name in "abcd"], before, shard_size=1)
    assert after == {**before, "d": "train-0001"}


def test_a_shard_contains_at_least_one_case():
    with pytest.raises(InputError, match="shard_size 0"):
        assign_shards([], {}, shard_size=0)


SPLIT_OF = st.dictionaries(st.text("abc", min_size=1, max_size=4), st.sampled_from(SPLITS), max_size=30)


@given(first=SPLIT_OF, later=SPLIT_OF, size=st.integers(1, 5))
def test_adding_cases_never_moves_one_and_never_overfills_a_shard(first, later, size):
    before = assign_shards([make(*item) for item in first.items()], {}, size)
    union = {**later, **first}
    after = assign_shards([make(*item) for item in union.items()], before, size)
    assert after.keys() == union.keys()
    assert {name: after[name] for name in before} == before
    assert max(Counter(after.values()).values(), default=0) <= size
    assert all(shard.rsplit("-", 1)[0] == union[name] for name, shard in after.items())
    # If no case was removed, every shard but the last of its split is full, and the result is unique.
    for split in SPLITS:
        counts = Counter(shard for name, shard in sorted(after.items()) if union[name] == split)
        assert all(counts[shard] == size for shard in sorted(counts)[:-1])
    assert after == assign_shards([make(*item) for item in union.items()], after, size)


def rows_of(*labels_by_split):
    """Rows of a manifest, one for each (split, path of labels)."""
    return [
        ManifestRow(f"case {number}", f"{split}-0000", split, "p", None, "image.png", labels, ())
        for number, (split, labels) in enumerate(labels_by_split)
    ]


@pytest.mark.parametrize(
    ("splits", "judged"),
    [(("train", "val", "test"), "test"), (("test",), "test"), (("train", "val", "unlabelled"), "val")],
)
def test_methods_are_judged_on_val_if_there_is_no_test_case(splits, judged):
    assert judged_split(rows_of(*((split, "labels") for split in splits))) == judged


def test_only_labels_of_unlabelled_cases_are_hidden():
    without = rows_of(("train", "l"), ("val", "l"), ("test", "l"), ("unlabelled", ""))
    assert not has_hidden_labels(without)
    assert has_hidden_labels([*without, *rows_of(("unlabelled", "l"))])
    assert set(missing_methods(["unet", "unet_full"], without)) == {"unet_full"}
    assert missing_methods(["unet"], without) == {}
    assert missing_methods(["unet_full"], rows_of(("unlabelled", "l"))) == {}


def test_a_manifest_can_be_read_back(tmp_path):
    cases = [make("Zähne, oben", order=3), make("b"), make("u", "unlabelled")]
    rows = manifest_rows(
        "/data",
        cases,
        shards=assign_shards(cases, {}, 2),
        training_order=["b", "Zähne, oben"],
        classes_of_case={"b": {"Ulna", "Os capitatum"}},
        digests={case.case: (f"image {case.case}", "labels") for case in cases},
    )
    assert rows[1] == ManifestRow(
        case="b",
        shard="train-0000",
        split="train",
        patient="patient b",
        order=0,
        image="images/b.png",
        labels="labels/b",
        classes=("Os capitatum", "Ulna"),
        image_digest="image b",
        labels_digest="labels",
    )
    assert (rows[0].order, rows[2].order, rows[2].labels) == (1, None, "")
    path = tmp_path / "new" / "manifest.csv"
    write_manifest(path, rows)
    head = "case,shard,split,patient,order,image,labels,classes,image_digest,labels_digest"
    assert path.read_text().splitlines()[0] == f"{head},spacing,group"
    assert path.read_text().splitlines()[2].endswith(",Os capitatum;Ulna,image b,labels,,")
    assert read_manifest(path) == rows
    assert [file.name for file in path.parent.iterdir()] == ["manifest.csv"]


def test_a_file_that_is_not_a_manifest_is_rejected(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_manifest(tmp_path / "none.csv")
    path = tmp_path / "manifest.csv"
    path.write_text("case,split\na,train\n")
    with pytest.raises(InputError, match=r"manifest\.csv: .*column 'shard' is missing"):
        read_manifest(path)


HEAD = "case,shard,split,patient,order,image,labels,classes,image_digest,labels_digest\n"
ROWS = {
    "a": "a,train-0000,train,P1,0,images/a.png,labels/a,Ulna,1,1\n",
    "b": "b,test-0000,test,P2,,images/b.png,labels/b,Ulna,2,2\n",
    "c": "c,unlabelled-0000,unlabelled,P3,,images/c.png,,,3,3\n",
}


@pytest.mark.parametrize(
    ("case", "edited", "fault"),
    [
        ("b", ROWS["b"].replace("test,", "train,"), "split 'train' and in shard 'test-0000'"),
        ("b", "b,train-0000,train,P2,0,images/b.png,labels/b,Ulna,2,2\n", "'b' in train has order 0"),
        ("b", "b,train-0000,train,P2,,images/b.png,labels/b,Ulna,2,2\n", "'b' in train has order None"),
        ("b", ROWS["b"].replace("P2,", "P2,1"), "'b' in test has order 1"),
        ("b", ROWS["b"].replace("P2", " p1"), "patient ' p1' is in train and test"),
        ("b", ROWS["b"].replace("labels/b", ""), "'b' in test has no labels"),
        ("b", ROWS["a"], "case 'a' is there twice"),
        ("c", ROWS["c"].replace("unlabelled,", "spare,"), "split 'spare'"),
        ("c", ROWS["c"].replace("0000", "x"), "shard 'unlabelled-x'"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_damaged(tmp_path, case, edited, fault):
    path = tmp_path / "manifest.csv"
    path.write_text(HEAD + "".join(ROWS.values()))
    assert len(read_manifest(path)) == 3
    path.write_text(HEAD + "".join((ROWS | {case: edited}).values()))
    with pytest.raises(DamagedError, match=r"manifest\.csv: .*cases\.csv is where to change") as caught:
        read_manifest(path)
    assert fault in str(caught.value)


def test_cases_keep_the_shards_of_a_previous_manifest_even_if_it_has_changed(tmp_path):
    path, warnings = tmp_path / "manifest.csv", []
    assert previous_shards(path, tmp_path, warnings) == {}
    path.write_text(HEAD + "".join(ROWS.values()))
    write_checksums([path], tmp_path)
    shards = {"a": "train-0000", "b": "test-0000", "c": "unlabelled-0000"}
    assert previous_shards(path, tmp_path, warnings) == shards
    assert warnings == []
    path.write_text(HEAD + "".join(ROWS.values()).replace("images/a", "images/x"))
    assert previous_shards(path, tmp_path, warnings) == shards
    (line,) = warnings
    assert line.endswith(
        "its content has changed since it was written: all is listed again, in the shards that it names"
    )
