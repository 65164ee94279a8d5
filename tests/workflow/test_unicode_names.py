"""Names as macOS and Windows write them (decomposed, upper-case suffixes, litter) give the same Dice."""

import csv
import shutil
import unicodedata

from support.tiny_project import rows_of

MARK = "e\u0301-"  # decomposed: two characters, a letter and its accent
LITTER = (".DS_Store", f"._{MARK}cap.PNG", "Thumbs.db", "desktop.ini")
METHODS = ["unet", "unet_sam", "ours_p", "ours_r"]


def rename_everything(source, data):
    """Copy a data set under decomposed names, which sort like the plain ones, with litter among its files."""
    rows = rows_of(source)
    (data / "images").mkdir(parents=True)
    for name, row in rows.items():
        shutil.copy(source / f"images/{name}.png", data / f"images/{MARK}{name}.PNG")
        if row["split"] == "unlabelled":
            continue
        labels = data / "labels" / f"{MARK}{name}"
        labels.mkdir(parents=True)
        for file in (source / "labels" / name).iterdir():
            shutil.copy(file, labels / f"{MARK}{file.stem}.PNG")
        for litter in LITTER:
            (labels / litter).write_bytes(b"litter")
    with (data / "cases.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, next(iter(rows.values())))
        writer.writeheader()
        for name, row in rows.items():
            writer.writerow({**row, "case": f"{MARK}{name}", "patient": f"{MARK}{row['patient']}"})
    return data


def dice_of(project, dataset, mark=""):
    """{(method, case, class): Dice}, with `mark` taken off the names."""
    with (project.folder / f"results/{dataset}/n3/dice.csv").open(newline="", encoding="utf-8") as stream:
        return {
            (row["method"], row["case"].removeprefix(mark), row["class"].removeprefix(mark)): row["dice"]
            for row in csv.DictReader(stream)
            if row["method"] in METHODS
        }


def test_the_form_of_names_and_suffixes_does_not_change_the_results(finished, project):
    rename_everything(finished.folder / "results/demo/phantom", project.folder / "data")
    folder = {"format": "folder", "folder": "data"}
    imported = {
        "format": "class_pngs",
        "class_pngs": {
            "images": "data/images",
            "annotations": "data/labels/{case}/{class}.png",
            "cases": "data/cases.csv",
        },
    }
    expected = dice_of(finished, "demo")
    assert {method for method, *_ in expected} == set(METHODS)
    for dataset, source in (("own", folder), ("imported", imported)):
        project.configure(source=source, dataset=dataset, ablation={"n": []}, methods=METHODS)
        outcome = project.run(f"results/{dataset}/n3/dice.csv")
        assert outcome.returncode == 0, outcome.stdout
        assert dice_of(project, dataset, unicodedata.normalize("NFC", MARK)) == expected
