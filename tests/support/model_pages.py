"""A model of random weights as a page, and images of all kinds that the page reads."""

import io

import numpy as np
import torch
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian, JPEGBaseline8Bit

from samcarry.annotate.model_page import write_model_page
from samcarry.images.grey import resize_grey
from samcarry.images.preparation import preparation
from samcarry.images.training_look import measure_look
from samcarry.networks.unet import UNet, load_unet, save_unet
from support import dicom_files

SIZE = (48, 64)
MARKUP = "<img src=x onerror='window.hacked=1'>"


def radiograph(seed, size=(150, 190)):
    """A bright disc on a soft background."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    image = 60 + 40 * np.sin(x / 31 + seed) + 120 * (np.hypot(x - 80, y - 70) < 30 + seed)
    return (image + rng.integers(0, 9, size)).clip(0, 255).astype(np.uint8)


def metadata(**entries):
    look = measure_look([np.stack([resize_grey(radiograph(seed), *SIZE) for seed in range(8)])])
    about = {"classes": ["Radius", "Ulna"], "size": list(SIZE), "mean": 0.4, "std": 0.25, "window": None}
    return {**about, "preparation": preparation(None), "training_look": look, **entries}


def make_model(folder, **entries):
    """A model file of random weights and its page."""
    torch.manual_seed(3)
    network = UNet(2, 5, 3)
    network.head.weight.data *= 6  # masks with clear edges
    save_unet(folder / "model.safetensors", network, metadata(**entries))
    write_model_page(folder / "model.html", *load_unet(folder / "model.safetensors"), dataset=MARKUP)
    return folder / "model.safetensors", folder / "model.html"


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def colours(seed):
    return np.stack([radiograph(seed), radiograph(seed + 1), radiograph(seed + 2)], axis=-1)


def images(folder):
    """Files of all kinds that the page reads without loss."""
    grey = radiograph(0)
    yield save(folder / "grey.png", grey)
    yield save(folder / "small.png", radiograph(1, (90, 40)))
    yield save(folder / "sixteen.png", grey.astype(np.uint16) * 250 + 7)
    yield save(folder / "colour.png", colours(2))
    yield save(folder / "alpha.png", np.dstack([colours(2), grey]))
    yield save(folder / "grey_alpha.png", np.dstack([grey, grey]))
    for mode in ("P", "1"):
        path = folder / f"mode_{mode}.png"
        Image.fromarray(colours(3)).convert(mode).save(path)
        yield path
    Image.fromarray(colours(3)).quantize(13).save(folder / "four_bits.png", bits=4)
    yield folder / "four_bits.png"
    wide = grey.astype(np.uint16) * 16
    table = Dataset()
    table.LUTDescriptor = [2000, 400, 10]
    table.LUTData = (1023 * np.linspace(0, 1, 2000) ** 2).astype("<u2").tobytes()
    for name, options in {
        "monochrome1": {"PhotometricInterpretation": "MONOCHROME1"},
        "window": {"WindowCenter": 1500, "WindowWidth": 2100, "syntax": ImplicitVRLittleEndian},
        "exact": {"WindowCenter": [900, 3], "WindowWidth": [1700, 4], "VOILUTFunction": "LINEAR_EXACT"},
        "sigmoid": {"WindowCenter": 1500, "WindowWidth": 1100, "VOILUTFunction": "SIGMOID"},
        "rescaled": {"RescaleSlope": "0.5", "RescaleIntercept": -300},
        "negative_slope": {
            "RescaleSlope": -1,
            "RescaleIntercept": 4095,
            "WindowCenter": 1500,
            "WindowWidth": 2100,
        },
        "table": {"VOILUTSequence": Sequence([table])},
        "implicit_table": {"VOILUTSequence": Sequence([table]), "syntax": ImplicitVRLittleEndian},
    }.items():
        yield dicom_files.write(folder / f"{name}.dcm", wide, **options)
    yield dicom_files.write(folder / "high_bit.dcm", wide << 4 | 5, HighBit=15)
    negative = (wide.astype(np.int16) - 2048).view(np.uint16)
    yield dicom_files.write(folder / "signed.dcm", negative & 0xFFF, PixelRepresentation=1)
    yield dicom_files.write(folder / "eight.dcm", grey, 8)
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "JPEG", quality=95)
    pixels = encapsulate([stream.getvalue()])
    yield dicom_files.write(folder / "jpeg.dcm", grey, 8, JPEGBaseline8Bit, PixelData=pixels)
