"""A study is fetched from a server that imitates figshare and Kaggle, and then runs."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from support.cvat_files import bone, polygon
from support.cvat_files import image as cvat_image
from support.file_server import digest, file_server, serve_figshare, serve_kaggle, zipped

DOI = "10.6084/m9.figshare.123"
TRAIN, TEST, UNLABELLED = ("0001_1_01_WRI-L1_M01", "0002_1_01_WRI-R1_F02", "0003_1_01_WRI-L1_M03")
NOT_NEEDED = "0004_1_01_WRI-L1_M04"
IMPORTED = "results/wrist/imported/cases.csv"
LISTED = "results/wrist/manifest.csv"


@pytest.fixture
def server():
    with file_server() as running:
        yield running


def radiograph(value):
    """A PNG of 16 bits."""
    pixels = np.linspace(value, 65535, 40 * 32).reshape(40, 32).astype(np.uint16)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def annotations(stem):
    shape = polygon("4,4;20,4;20,30;4,30", label="Knochen", inside=bone("Radius"))
    entry = cvat_image(shape, name=f"{stem}.png", size='width="32" height="40"')
    return f"<annotations><version>1.1</version>{entry}</annotations>".encode()


def configure(project, server):
    """A study like the paper's, all of which is on servers."""
    images = {stem: radiograph(1000 * n) for n, stem in enumerate((TRAIN, TEST, UNLABELLED, NOT_NEEDED), 1)}
    rows = [f"{stem},{stem[:4]},{stem.split('WRI-')[1][0]},1" for stem in images]
    table = "\n".join(["filestem,patient_id,laterality,projection", *rows, ""]).encode()
    parts = list(images.items())
    api = serve_figshare(
        server,
        "123",
        {
            "images_part1.zip": zipped({f"{stem}.png": image for stem, image in parts[:2]}),
            "images_part2.zip": zipped({f"{stem}.png": image for stem, image in parts[2:]}),
            "dataset.csv": table,
            "folder_structure.zip": b"not needed",
        },
    )
    texts = {
        "train.xml": annotations(TRAIN),
        "test.xml": annotations(TEST),
        "unlabelled.csv": f"filestem\n{UNLABELLED}\n".encode(),
    }
    files = {
        name.replace(".", "_"): {
            "url": server.serve(f"/authors/{name}", text),
            "sha256": digest(text),
            "file": f"data/wrist/{name}",
        }
        for name, text in texts.items()
    }
    sam = (project.folder / "resources/tiny_sam.safetensors").read_bytes()
    entry = {
        "model": "tiny",
        "file": "resources/fetched.safetensors",
        "sha256": digest(sam),
        "url": server.serve("/sam", sam, breaks=[len(sam) // 2]),
    }
    project.configure(
        dataset="wrist",
        n=1,
        ablation={"n": []},
        classes=["Radius"],
        sam={"model": "tiny", "models": {"tiny": entry}},
        source={
            "format": "cvat",
            "cvat": {
                "images": "data/wrist/images",
                "annotations": {"train": ["data/wrist/train.xml"], "test": ["data/wrist/test.xml"]},
                "table": "data/wrist/dataset.csv",
                "unlabelled": "data/wrist/unlabelled.csv",
                "label": "Knochen",
                "attribute": "Anatomie",
            },
        },
        fetch={
            "when": "missing",
            "figshare": api,
            "data": files
            | {
                "table": {"figshare": DOI, "name": "dataset.csv", "file": "data/wrist/dataset.csv"},
                "images": {
                    "figshare": DOI,
                    "name": "images*.zip",
                    "unpack": {"*.png": "data/wrist/images"},
                    "only": [f"data/wrist/{name}" for name in texts],
                },
            },
        },
    )


def test_from_the_doi_to_the_data_set(project, server):
    configure(project, server)
    outcome = project.run("fetch", IMPORTED)
    assert outcome.returncode == 0, outcome.stdout
    images = project.folder / "data/wrist/images"
    assert {path.stem for path in images.iterdir()} == {TRAIN, TEST, UNLABELLED}
    assert project.read(IMPORTED).count("\n") == 4
    fetched = json.loads(project.read("results/wrist/fetched.json"))["fetched"]
    assert [each["file"] for each in fetched["images"]] == ["images_part1.zip", "images_part2.zip"]
    sam = (project.folder / "resources/tiny_sam.safetensors").read_bytes()
    assert (project.folder / "resources/fetched.safetensors").read_bytes() == sam
    # 16 bits became 8: the full range.
    grey = np.array(Image.open(project.folder / f"results/wrist/imported/images/{TRAIN}.png"))
    assert (grey.dtype, grey.min(), grey.max()) == (np.uint8, round(1000 / 257), 255)

    asked = len(server.requests)
    assert project.planned(LISTED) == {"check_sam", "list_cases"}
    (images / f"{UNLABELLED}.png").write_bytes(radiograph(9000))  # a change is still noticed
    assert project.planned(LISTED) == {"check_sam", "import_cvat", "list_cases"}
    assert len(server.requests) == asked


def test_teeth_from_kaggle(project, server, monkeypatch):
    archive = zipped({"Teeth JSON/d2/img/1.jpg": b"i", "Teeth JSON/d2/ann/1.jpg.json": b"{}"})
    unpack = {"*JSON*/img/*": "data/teeth/img", "*JSON*/ann/*.json": "data/teeth/ann"}
    project.configure(
        dataset="teeth",
        source={
            "format": "supervisely",
            "supervisely": {"images": "data/teeth/img", "annotations": "data/teeth/ann"},
        },
        fetch={
            "when": "missing",
            "kaggle": serve_kaggle(server, "owner/teeth", archive, "Bearer KGAT_1"),
            "data": {"teeth": {"kaggle": "owner/teeth", "unpack": unpack}},
        },
    )
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_1")
    outcome = project.run("fetch")
    assert outcome.returncode == 0, outcome.stdout
    assert (project.folder / "data/teeth/ann/1.jpg.json").read_bytes() == b"{}"
    assert "KGAT_1" not in outcome.stdout + project.read("results/teeth/fetched.json")
