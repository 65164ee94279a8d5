"""The parsers to fuzz, each with a function that writes a small valid file."""

import functools
import gzip
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pydicom
import torch
from nibabel import Nifti1Image, Nifti2Image
from PIL import Image
from safetensors.torch import save_file

from samcarry import __version__
from samcarry.confidence import fitted
from samcarry.data.cases import find_cases
from samcarry.errors import InputError, raise_faults
from samcarry.evaluation import readers
from samcarry.fetching import repositories
from samcarry.fetching.archives import unpack
from samcarry.formats.class_tables import parse_class_table, read_class_table, write_class_table
from samcarry.formats.coco import read_coco
from samcarry.formats.cvat import read_cvat
from samcarry.formats.dicom_seg import read_dicom_seg
from samcarry.formats.label_maps import read_label_map, write_label_map
from samcarry.formats.label_studio import read_label_studio
from samcarry.formats.labelme import read_labelme
from samcarry.formats.mask_tables import read_mask_table
from samcarry.formats.nifti import read_nifti, write_nifti
from samcarry.formats.page_file import read_page_file
from samcarry.formats.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from samcarry.formats.supervisely import read_supervisely
from samcarry.formats.via import read_via
from samcarry.formats.voc import load_voc_table, read_voc
from samcarry.formats.yolo import load_yolo_table, read_yolo, write_yolo, write_yolo_classes
from samcarry.geometry.rasterise import draw_masks
from samcarry.images.grey import image_size, read_grey
from samcarry.images.masks import read_mask
from samcarry.images.training_look import measure_look
from samcarry.networks.unet import UNet, load_unet, save_unet
from samcarry.paper import digests
from samcarry.paper.verify import verify
from samcarry.predict.models import load_model
from samcarry.presence import judgement as presence
from samcarry.review.marks import SEND, read_sent
from samcarry.sam.hub.reading import read_folder
from samcarry.setup.pseudonyms import pseudonymise, read_key
from samcarry.storage.stacks import Stack, read_header, read_stack, write_stack
from samcarry.storage.tables import write_table
from support.coco_files import annotation, document
from support.cvat_files import bone, image, polygon, runs, save
from support.dicom_files import write as write_dicom
from support.dicom_seg_files import write as write_segmentation
from support.file_server import zipped
from support.fuzzing import Target
from support.label_studio_files import brush, task
from support.label_studio_files import polygon as label_studio_polygon
from support.label_studio_files import shape as label_studio_shape
from support.labelme_files import pack as pack_labelme
from support.labelme_files import shape
from support.mask_table_files import write_mask_table
from support.supervisely_files import pack as pack_supervisely
from support.supervisely_files import polygon as supervisely_polygon
from support.tiny_models import METADATA
from support.via_files import document as via_document
from support.via_files import entry as via_entry
from support.via_files import region as via_region
from support.via_files import table as via_table
from support.voc_files import write_labelmap, write_voc

RNG = np.random.default_rng(0)
MASKS = RNG.random((3, 12, 10)) < 0.4
NAMES = ("radius", "ulna", "hamate")
GREY = RNG.integers(0, 256, (12, 10)).astype(np.uint8)
TABLE = parse_class_table({"1": "radius", "2": "ulna", "3": "hamate"}, "the table")
COLOURS = parse_class_table({"#ff0000": "radius", "#00ff00": "ulna"}, "the table")
NETWORK = UNet(2, width=4, depth=2)
_LARGEST_DRAWN = 4_000_000  # pixels; an import compares the size with the image before drawing


def drawn(read: Callable[..., Any], **options: Any) -> Callable[[Path], None]:
    """A function that reads a file and draws all its shapes."""

    def parse(path: Path) -> None:
        faults: list[str] = []
        for found in read(path, **options):
            height, width = found.size or (12, 10)
            if height * width <= _LARGEST_DRAWN:
                draw_masks(found, height, width, faults)
        raise_faults(faults)

    return parse


def parse_image(path: Path) -> None:
    """Read the size and the grey values, which have to agree."""
    size = image_size(path)
    assert read_grey(path).shape == size
    read_grey(path, (0.5, 99.5))


def parse_stack(path: Path) -> None:
    read_header(path)
    read_stack(path)


def make_cvat(path: Path) -> None:
    first = image(
        polygon(inside=bone("Ulna")), polygon("0,0;5.5,0;3,4"), runs("1,2,1"), runs("0,4", (2, 1, 2, 2))
    )
    box = '<box label="Ulna" xtl="1" ytl="1" xbr="4.5" ybr="3" rotation="30"/>'
    second = image(
        box, '<ellipse label="Ulna" cx="3" cy="2" rx="2" ry="1"/>', "<tag label='x'/>", name="b.png"
    )
    save(path.parent, first, second).replace(path)


def make_page_file(path: Path) -> None:
    mask = '<mask label="Radius" rle="0, 4" left="0" top="0" width="2" height="2"/>'
    states = 'corrected="Radius" confirmed="" absent="Ulna"'
    about = f'finished="2025-01-01T00:00:00Z" seconds="61.5" sha256="{64 * "0"}" {states}'
    labels = "".join(f"<label><name>{name}</name></label>" for name in ("Radius", "Ulna"))
    path.write_text(
        f"<annotations><version>1.1</version><meta><task><labels>{labels}</labels></task>"
        '<samcarry version="1" dataset="mine" page="x" annotator="A. B." saved="2025-01-01"/></meta>'
        f'<image id="0" name="a.png" width="6" height="5" {about}>{mask}</image></annotations>'
    )


def parse_page_file(path: Path) -> None:
    """Read the record with a checksum that fits: otherwise nearly all damage would be noticed there."""
    content = path.read_bytes()
    path.write_bytes(content + f"<!-- samcarry crc32 {zlib.crc32(content):08x} -->\n".encode())
    read_page_file(path)
    drawn(read_cvat)(path)


def make_coco(path: Path) -> None:
    pieces = [[1.5, 1, 4, 1, 4, 3], [0, 0, 2, 0, 2, 2]]
    counts = {"size": [5, 6], "counts": [3, 4, 20, 3]}
    packed = {"size": [5, 6], "counts": "34d0O"}
    entries = [annotation(pieces, 1), annotation(counts, 2, category_id=4), annotation(packed, 3)]
    path.write_text(json.dumps(document(*entries)))


def make_supervisely(path: Path) -> None:
    bitmap = {"data": pack_supervisely(MASKS[0]), "origin": [1, 2]}
    objects = [
        supervisely_polygon(interior=[[[1, 1], [2, 1], [2, 2]]]),
        supervisely_polygon(number=2) | {"geometryType": "bitmap", "bitmap": bitmap},
        supervisely_polygon([[0, 0], [3, 3]], number=3) | {"geometryType": "rectangle"},
    ]
    path.write_text(json.dumps({"size": {"height": 20, "width": 24}, "tags": [], "objects": objects}))


def make_labelme(path: Path) -> None:
    mask = shape([[1, 2], [10, 13]], "mask", mask=pack_labelme(MASKS[0]))
    others = [
        shape([[0, 0], [3, 3]], "rectangle"),
        shape([[4, 4], [5, 6]], "circle"),
        shape([[0, 0], [5, 0], [3, 4]]),
    ]
    size = {"imageHeight": 20, "imageWidth": 24}
    text = {
        "version": "5.4.1",
        "flags": {},
        "shapes": [mask, *others],
        "imagePath": "a.png",
        "imageData": None,
    }
    path.write_text(json.dumps(text | size))


def via_images() -> tuple[dict[str, Any], ...]:
    ellipse = {"name": "ellipse", "cx": 3, "cy": 2, "rx": 2, "ry": 1, "theta": 0.5}
    rectangle = {"name": "rect", "x": 1, "y": 1, "width": 3, "height": 2}
    others = [via_region(ellipse), via_region({"name": "circle", "cx": 3, "cy": 3, "r": 2})]
    return via_entry(via_region(), via_region(rectangle)), via_entry(*others, name="b.png")


def parse_mask_table(path: Path) -> None:
    """Read a table beside its masks, which are undamaged."""
    for number in range(3):
        make_class_png(path.parent / f"{number}.png")
    drawn(read_mask_table)(path)


def make_mask_table(path: Path) -> None:
    write_mask_table(path.parent, {"a.png": MASKS, "p1/b.png": MASKS & False}, NAMES, cut=True)


def make_label_studio(path: Path) -> None:
    sides = {"x": 10, "y": 20, "rotation": 30, "width": 30, "height": 40}
    ellipse = {"x": 40, "y": 50, "rotation": 30, "radiusX": 10, "radiusY": 20}
    first = [label_studio_polygon(), label_studio_shape("rectanglelabels", sides)]
    second = [label_studio_shape("ellipselabels", ellipse), label_studio_shape("choices", {})]
    path.write_text(json.dumps([task(first, second), task([brush(MASKS[0])], image="p1/b.png")]))


def make_dicom(path: Path, *, rle: bool) -> None:
    values = RNG.integers(0, 4096, (12, 10)).astype(np.uint16)
    write_dicom(path, values, WindowCenter=2000, WindowWidth=3000, RescaleSlope=2, RescaleIntercept=-10)
    if rle:
        dataset = pydicom.dcmread(path)
        dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
        dataset.compress(pydicom.uid.RLELossless)
        dataset.save_as(path)


def make_cases(path: Path) -> None:
    lines = [f"P{n},p{n},{split},{n}" for n, split in enumerate(("train", "train", "val", "unlabelled"))]
    path.write_text("\n".join(["case,patient,split,order", *lines, ""]))


def parse_cases(path: Path) -> None:
    """Read a data set of five images, four with labels; a fault may name any of its files."""
    for number in range(5):
        Image.fromarray(GREY).save(_folder(path, "images") / f"P{number}.png")
        if number < 4:
            _folder(path, f"labels/P{number}")
    find_cases(path.parent)


def _folder(path: Path, name: str) -> Path:
    folder = path.parent / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_colours(path: Path) -> None:
    pixels = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)[RNG.integers(0, 3, (12, 10))]
    Image.fromarray(pixels).save(path)


def make_class_png(path: Path) -> None:
    Image.fromarray(MASKS[0].astype(np.uint8) * 255).save(path)


def make_unet(path: Path) -> None:
    save_unet(
        path, UNet(2, width=2, depth=1), {"classes": list(NAMES[:2]), "size": [16, 16], "mean": 0, "std": 1}
    )


def make_model_folder(path: Path) -> None:
    """Both files of a model folder, of which `path` is one."""
    config = {"model_type": "sam2", "vision_config": {"fpn_hidden_size": 32, "levels": [1, 2]}}
    (path.parent / "config.json").write_text(json.dumps(config))
    save_file({"a.weight": torch.ones(2, 3), "b": torch.zeros(1)}, path.parent / "model.safetensors")


def parse_model_folder(path: Path) -> None:
    """Read the folder of a damaged file, whose other file is valid."""
    content = path.read_bytes()
    make_model_folder(path)
    path.write_bytes(content)
    read_folder(path.parent, "sam2.1_tiny", ("sam2",))


def make_nifti(path: Path, kind: type = Nifti1Image) -> None:
    kind(MASKS[0].T.astype(np.int16), np.eye(4)).to_filename(path)


def grey_image(mode: str, **how: Any) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        pixels = Image.fromarray(GREY if mode != "I;16" else GREY.astype(np.uint16) * 257)
        (pixels if mode in ("L", "I;16") else pixels.convert(mode)).save(path, **how)

    return make


def make_stack(path: Path) -> None:
    write_stack(path, Stack(MASKS[None].astype(np.uint8), "mask", ("P1",), NAMES, {"seed": 0}))


def make_unpacked(path: Path) -> None:
    packed = path.with_suffix(".nii.gz")
    write_nifti(packed, MASKS, NAMES, "P1")
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()


def make_figshare(path: Path) -> None:
    file = {"name": "a.zip", "download_url": "http://127.0.0.1:9/1", "computed_md5": "0" * 32, "size": 12}
    path.write_text(json.dumps([file, {**file, "name": "b.csv", "computed_md5": "", "supplied_md5": "1"}]))


def parse_figshare(path: Path) -> None:
    """Read a file as the answer of figshare's API."""
    with mock.patch.object(repositories, "read_json", return_value=parsed_json(path)):
        repositories.figshare_files(f"{path}/figshare.1", "*", str(path))


def parsed_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise InputError(f"{path}: is not JSON") from None


def make_metadata(path: Path) -> None:
    """All that a model file can say beside its weights."""
    one, two = [0.5, 0.25], [[0.5, 0.25], [0.25, 0.5]]
    evidence = [1.0] * len(presence.NAMES)
    anatomy = {"cases": 3, "together": [[3, 2], [2, 3]], "area": one, "area_spread": one}
    path.write_text(
        json.dumps(
            {
                **METADATA,
                "training_look": measure_look([RNG.integers(0, 256, (6, 16, 32)).astype(np.uint8)]),
                "measurements": {"gap": {"between": ["Zähne", "b"]}},
                "confidence": {
                    **{"version": fitted.VERSION, "tolerance": fitted.TOLERANCE, "patients": 2},
                    **{"temperature": one, "outer": two, "inner": two, "class_excess": two},
                    **{"missed": [0, 1], "excess": one, "shown": None},
                },
                "presence": {
                    **{"version": presence.VERSION, "evidence": list(presence.NAMES), "fault": ""},
                    "anatomy": {**anatomy, "centre": two, "centre_spread": two},
                    **{"centre": evidence, "scale": evidence, "weight": evidence},
                    **{"intercept": 0.0, "absent_below": 0.1, "sure_above": 0.9},
                },
            }
        )
    )


def parse_metadata(path: Path) -> None:
    """Load a model with these metadata, whose digest is right."""
    metadata = parsed_json(path)
    if not isinstance(metadata, dict):
        raise InputError(f"{path}: is not an object")
    model = path.with_name("model.safetensors")
    save_unet(model, NETWORK, {**metadata, "classes": metadata.get("classes", ())})
    load_model(model, "cpu")


def make_readers(path: Path) -> None:
    rows = [("P1", "radius", 2, 0.9), ("P2", "ulna", 3, 0.0), ("P2", "Häkchen, groß", 2, 1)]
    write_table(path, readers.COLUMNS, rows)


def parse_readers(path: Path) -> None:
    """Read the table as a run does whose evaluated cases have these two classes."""
    scores = [("demo", 3, 0, case, name, 0.5) for case in ("P1", "P2") for name in ("radius", "ulna")]
    rows = pd.DataFrame(scores, columns=["dataset", "n", "seed", "case", "class", "dice"])
    readers.reader_rows(readers.read_readers([path]), rows)


def make_marks(path: Path) -> None:
    marks = [("P1", "radius", SEND), ("P1", "", "fine"), ("P2", "ulna", "wrong")]
    write_table(path, ("case", "class", "mark"), marks)


def make_named(path: Path) -> None:
    """A data set of two cases, of which `path` is the cases.csv with their patients."""
    for name in ("Meyer_left", "Meyer_right"):
        Image.fromarray(GREY).save(_folder(path, "images") / f"{name}.png")
        Image.fromarray(MASKS[0]).save(_folder(path, f"labels/{name}") / "radius.png")
    text = "case,patient,split,group,mirrored\nMeyer_left,Meyer,train,north,0\nMeyer_right,meyer ,train,,1\n"
    path.write_text(text)


def parse_named(path: Path) -> None:
    """Pseudonymise the data set; no name of its patient may be in the copy."""
    content = path.read_bytes()
    make_named(path)
    path.write_bytes(content)
    copy = path.parent.with_name(f"copy of {path.parent.name}")
    shutil.rmtree(copy, ignore_errors=True)
    pseudonymise(path.parent, copy, b"a secret of the hospital", text="keep")
    assert b"meyer" not in (copy / "cases.csv").read_bytes().lower()


PAPER = "# A paper\n\nOn 12 test images, the mean Dice was 87.1.\r\nÜber 25 Bilder.\n"


def make_paper(path: Path) -> None:
    """A folder of a paper with one page; without its data, as after a partial copy, nothing is recomputed."""
    page = path.with_name("paper.md")
    page.write_bytes(PAPER.encode())
    (_folder(path, "data") / "flow.csv").write_text("split,images\ntest,12\n")
    digests.write_digests(path.parent, __version__)
    shutil.rmtree(path.parent / "data")


def parse_digests(path: Path) -> None:
    """Verify the folder of a damaged digests.json."""
    content = path.read_bytes()
    make_paper(path)
    path.write_bytes(content)
    faults = verify(path.parent).faults
    assert "data/flow.csv: is missing" in faults or any("was changed" in fault for fault in faults)


def parse_page(path: Path) -> None:
    """Verify the folder of a damaged page: each change is named, with the page."""
    content = path.read_bytes()
    make_paper(path.with_name(digests.FILE))
    path.write_bytes(content)
    named = any(fault.startswith("paper.md") for fault in verify(path.parent).faults)
    assert named == (content != PAPER.encode())


segmentation = functools.partial(read_dicom_seg, images={"1.2.3": "a.dcm"})
numbers, colours = (drawn(read_label_map, table=table) for table in (TABLE, COLOURS))


def unpack_beside(path):
    folder = path.with_name("unpacked")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    unpack(path, folder, "*", lambda name: True)


TARGETS = [
    Target(
        "zip archive",
        "a.zip",
        lambda path: path.write_bytes(zipped({"d/1.png": b"1" * 99, "2.png": b"2"})),
        unpack_beside,
    ),
    Target("figshare", "a.json", make_figshare, parse_figshare),
    Target("metadata of a model", "a.json", make_metadata, parse_metadata),
    Target("cvat", "a.xml", make_cvat, drawn(read_cvat)),
    Target("page file", "a.xml", make_page_file, parse_page_file),
    Target("coco", "a.json", make_coco, drawn(read_coco)),
    Target("supervisely", "a.png.json", make_supervisely, drawn(read_supervisely)),
    Target("labelme", "a.json", make_labelme, drawn(read_labelme)),
    Target("Label Studio", "a.json", make_label_studio, drawn(read_label_studio)),
    Target("YOLO", "a.txt", lambda path: write_yolo(path, MASKS), drawn(read_yolo)),
    Target(
        "YOLO classes",
        "data.yaml",
        lambda path: write_yolo_classes(path, NAMES),
        lambda path: load_yolo_table(path, "the table"),
    ),
    Target(
        "VIA",
        "a.json",
        lambda path: path.write_text(json.dumps(via_document(*via_images()))),
        drawn(read_via),
    ),
    Target("VIA CSV", "a.csv", lambda path: path.write_text(via_table(*via_images())), drawn(read_via)),
    Target("VOC", "a.png", lambda path: write_voc(path, MASKS[0]), drawn(read_voc)),
    Target(
        "VOC classes",
        "labelmap.txt",
        lambda path: write_labelmap(path, NAMES),
        lambda path: load_voc_table(path, "the table"),
    ),
    Target("table of masks", "masks.csv", make_mask_table, parse_mask_table),
    Target("label map", "a.png", lambda path: write_label_map(path, MASKS), numbers),
    Target("label map in colour", "a.png", make_colours, colours),
    Target("label map TIFF", "a.tif", grey_image("I;16"), drawn(read_label_map)),
    Target("class PNG", "a.png", make_class_png, read_mask),
    Target("class table", "a.csv", lambda path: write_class_table(path, NAMES), read_class_table),
    Target("NIfTI", "a.nii.gz", lambda path: write_nifti(path, MASKS, NAMES, "a"), drawn(read_nifti)),
    Target("NIfTI unpacked", "a.nii", make_unpacked, drawn(read_nifti)),
    Target("NIfTI-2", "a.nii", functools.partial(make_nifti, kind=Nifti2Image), drawn(read_nifti)),
    Target("seg.nrrd", "a.seg.nrrd", lambda path: write_seg_nrrd(path, MASKS, NAMES), drawn(read_seg_nrrd)),
    Target(
        "DICOM SEG",
        "a.dcm",
        lambda path: write_segmentation(path, (MASKS[0, :3, :5], 1, "1.2.3"), (MASKS[1, :3, :5], 2, "1.2.3")),
        drawn(segmentation),
    ),
    Target("DICOM", "a.dcm", functools.partial(make_dicom, rle=False), parse_image),
    Target("DICOM RLE", "a.dcm", functools.partial(make_dicom, rle=True), parse_image),
    Target("PNG", "a.png", grey_image("L"), parse_image),
    Target("PNG palette", "a.png", grey_image("P"), parse_image),
    Target("PNG 16 bit", "a.png", grey_image("I;16"), parse_image),
    Target("JPEG", "a.jpg", grey_image("RGB"), parse_image),
    Target("TIFF", "a.tif", grey_image("L"), parse_image),
    Target("TIFF LZW", "a.tif", grey_image("RGB", compression="tiff_lzw"), parse_image),
    Target("TIFF 16 bit", "a.tif", grey_image("I;16"), parse_image),
    Target("cases.csv", "cases.csv", make_cases, parse_cases),
    Target("second readers", "readers.csv", make_readers, parse_readers),
    Target("marks", "review.csv", make_marks, lambda path: read_sent(path, ["P2", "P1"], {"P1", "P2"})),
    Target("key of pseudonyms", "key", lambda path: path.write_text("0f" * 32 + "\n"), read_key),
    Target("names for pseudonyms", "cases.csv", make_named, parse_named),
    Target("digests of a paper", digests.FILE, make_paper, parse_digests),
    Target("page of a paper", "paper.md", lambda path: make_paper(path.with_name(digests.FILE)), parse_page),
    Target("model", "a.safetensors", make_unet, load_unet),
    Target("model folder", "config.json", make_model_folder, parse_model_folder),
    Target("weights of a model folder", "model.safetensors", make_model_folder, parse_model_folder),
    Target("stack", "a.nii.gz", make_stack, parse_stack),
]


def sample(target: Target, folder: Path) -> bytes:
    """The content of the target's valid file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / target.file_name
    target.make(path)
    target.parse(path)  # the undamaged file has to be readable
    content = path.read_bytes()
    shutil.rmtree(folder)
    return content
