"""From absorption to a radiograph: soft tissue, scatter, noise, film, collimator and markers."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from samcarry.sam.small.bodies import clouds, outline
from samcarry.sam.tiny.contours import Rng, rotated


def tissue(rng: Rng, height: int, width: int) -> NDArray[np.float32]:
    """Absorption of soft tissue: a slope and clouds of three sizes, (height, width)."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    ground = rng.uniform(0.2, 1.0) + rng.normal(0, 0.15) * x + rng.normal(0, 0.15) * y
    for cell, strength in ((max(height, width) / 3, 0.2), (max(height, width) / 12, 0.07), (5, 0.03)):
        ground += rng.uniform(0, strength) * clouds(rng, (height, width), cell)
    return ground


def transmitted(absorbed: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of the beam that is left behind bodies, 0..1 (Beer-Lambert)."""
    return np.exp(-np.clip(absorbed, 0, None))


def expose(rng: Rng, absorbed: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A radiograph (height, width) of what the bodies absorb."""
    beam = transmitted(absorbed)
    scatter = ndimage.gaussian_filter(beam, 0.08 * max(beam.shape))
    beam = beam + rng.choice([0.0, 0.1, 0.4]) * rng.random() * scatter
    beam = _detect(rng, beam)
    field = _field(rng, *beam.shape)
    grey = _film(rng, -np.log(beam.clip(1e-3)), field)
    if field is not None:
        grey = np.where(field, grey, rng.choice([0.02, 0.02, 0.95]))
    if rng.random() < 0.5:
        grey = _mark(rng, grey)
    if rng.random() < 0.06:
        grey = 1 - grey
    return np.clip(grey * 255, 0, 255).astype(np.uint8)


def _detect(rng: Rng, beam: NDArray[np.float32]) -> NDArray[np.float32]:
    """The beam as a detector counts it: blurred, with the noise of few quanta, perhaps of fewer pixels."""
    height, width = beam.shape
    if rng.random() < 0.7:
        beam = ndimage.gaussian_filter(beam, rng.uniform(0.3, 1.4))
    factor = rng.uniform(1.2, 3.0) if rng.random() < 0.4 else 1.0
    if factor > 1:
        small = (max(8, int(width / factor)), max(8, int(height / factor)))
        beam = np.asarray(Image.fromarray(beam).resize(small, Image.Resampling.BOX))
    quanta = np.exp(rng.uniform(np.log(300), np.log(30_000)))
    beam = beam + np.sqrt(beam / quanta) * rng.normal(size=beam.shape)
    beam = beam.astype(np.float32)
    if factor > 1:
        beam = np.asarray(Image.fromarray(beam).resize((width, height), Image.Resampling.BILINEAR))
    return beam


def _film(rng: Rng, absorbed: NDArray[np.float32], field: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Absorption to grey values 0..1: the window of a display, and its gamma."""
    seen = absorbed if field is None else absorbed[field]
    low, high = np.percentile(seen, [rng.uniform(0, 4), rng.uniform(96, 100)])
    grey = np.clip((absorbed - low) / max(float(high - low), 0.08), 0, 1) ** np.exp(rng.normal(0, 0.3))
    if rng.random() < 0.2:  # local contrast, as consoles enhance it
        grey = np.clip(grey + rng.uniform(0.3, 1.0) * (grey - ndimage.gaussian_filter(grey, 12)), 0, 1)
    return grey * rng.uniform(0.6, 1) + rng.uniform(0, 0.15)


def _field(rng: Rng, height: int, width: int) -> NDArray[np.bool_] | None:
    """What the collimator leaves open, (height, width); None = all of it."""
    if rng.random() > 0.15:
        return None
    half = np.array([width, height]) / 2 * rng.uniform(0.8, 1.05, 2)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    corners = np.array([width, height]) / 2 + rotated(corners, rng.normal(0, 0.05))
    return outline(corners, height, width).on_canvas()


def _mark(rng: Rng, grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey values with a side marker or a line of writing."""
    canvas = Image.fromarray(grey.astype(np.float32))
    height, width = grey.shape
    place = (rng.uniform(0, width * 0.9), rng.choice([rng.uniform(0, 0.15), rng.uniform(0.8, 0.95)]) * height)
    text = str(rng.choice(["L", "R", "LEFT", "AP", "12.4 cm", "RX 07"]))
    font = ImageFont.load_default(size=float(rng.uniform(9, 28)))
    ImageDraw.Draw(canvas).text(place, text, fill=float(rng.uniform(0.85, 1)), font=font)
    return np.asarray(canvas)
