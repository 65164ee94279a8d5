"""The model card names classes, training and scores, and is Markdown that Hugging Face can read."""

import re

import yaml

from samcarry.data.manifest import ManifestRow
from samcarry.images.preparation import preparation
from samcarry.predict.model_card import model_card, read_scores

METADATA = {
    "classes": ["Radius", "a|b", "never"],
    "cases": ["1", "2", "3"],
    "size": [384, 224],
    "window": [0.5, 99.5],
    "preparation": preparation(None),
    "training_look": {"images": 104, "measures": {}},
    "mean": 0.3,
    "std": 0.2,
    "width": 64,
    "depth": 4,
    "made_by": {
        "wildcards": {"seed": "1"},
        "versions": {"torch": "2.0"},
        "inputs": {"results/x/statistics.json": "abc"},
    },
}
ROWS = [
    ManifestRow(str(number), "", split, "", None, "", "", ())
    for number, split in enumerate(["train"] * 3 + ["unlabelled"] * 7 + ["test"] * 2)
]


def card(tmp_path, method="ours_r", rows=ROWS, metadata=METADATA):
    lines = ["class,dice", "Radius,0.5", "Radius,0.7", "a|b,0.25", "a|b,"]
    (tmp_path / "dice.csv").write_text("\n".join(lines))
    scores = read_scores(tmp_path / "dice.csv")
    return model_card(metadata, dataset="wrist", method=method, rows=rows, scores=scores, sha256="f" * 64)


def test_dice_of_a_class_is_over_the_images_in_which_it_is_present(tmp_path):
    page = re.sub(" +", " ", card(tmp_path))
    assert "| Radius | 60.0 ± 14.1 | 2 |" in page
    assert r"| a\|b | 25.0 | 1 |" in page
    assert "| never | – | 0 |" in page
    assert "| **mean over classes** | 42.5 | |" in page
    assert "on the 2 images of the test split" in page


def test_it_says_what_the_network_was_trained_on(tmp_path):
    text = card(tmp_path)
    assert "on 7 unlabelled images" in text
    assert "network that was trained on 3 labelled images, refined by SAM" in text
    assert "on the 3 labelled images only" in card(tmp_path, "unet")
    assert "method `fixmatch`" in card(tmp_path, "fixmatch")


def test_it_holds_preprocessing_and_provenance(tmp_path):
    page = card(tmp_path)
    for text in ("384 × 224", "percentiles 0.5 to 99.5", "0.300000", "torch 2.0", "f" * 64, "`abc`"):
        assert text in page


def test_it_says_what_images_go_through_and_how_to_predict(tmp_path):
    page = card(tmp_path)
    assert "| orientation | upright" in page
    assert "| left and right | no image is mirrored |" in page
    assert "predict model.safetensors IMAGES OUT\n" in page
    assert "compares new images with 104 training images" in page
    mirrored = card(tmp_path, metadata={**METADATA, "preparation": preparation("right")})
    assert "images of right sides are mirrored" in mirrored
    assert "IMAGES OUT --laterality RULE" in mirrored
    older = {key: METADATA[key] for key in METADATA if key not in ("preparation", "training_look")}
    assert "| preparation | not recorded |" in card(tmp_path, metadata=older)
    assert "too few training images" in card(tmp_path, metadata=older)


def test_it_says_if_scores_are_of_the_validation_split(tmp_path):
    rows = [row for row in ROWS if row.split != "test"]
    assert "of the val split, which were not used for training, although settings" in card(
        tmp_path, rows=rows
    )


def test_the_front_matter_is_yaml(tmp_path):
    front = yaml.safe_load(card(tmp_path).split("---\n")[1])
    assert front["pipeline_tag"] == "image-segmentation"
