"""Writing masks of many images to a folder, in several formats at once."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samcarry.errors import InputError, shortlist
from samcarry.formats.class_pngs import write_class_masks
from samcarry.formats.class_tables import write_class_table
from samcarry.formats.coco import write_coco
from samcarry.formats.cvat import write_cvat
from samcarry.formats.label_maps import write_label_map
from samcarry.formats.nnunet_raw import (
    DATASET,
    nnunet_name,
    write_nnunet_case,
    write_nnunet_description,
)
from samcarry.formats.overlays import write_overlay
from samcarry.formats.seg_nrrd import write_seg_nrrd
from samcarry.formats.yolo import write_yolo, write_yolo_classes
from samcarry.geometry.run_lengths import EncodedImage, Spool, encode_image
from samcarry.images.dicom import is_dicom

log = logging.getLogger(__name__)

OVERLAP_RULE = (
    "Where classes overlap, a label map, also that of nnU-Net, shows the one with fewer pixels in that image "
    "or, if equal, the one that is later in classes.csv. The other formats keep both."
)


class MaskWriter:
    """Writes masks below `folder`, in each of `formats`.

    `add` writes masks/<case>/<class>.png, labelmaps/<case>.png, nifti/<case>.nii.gz, yolo/labels/<case>.txt,
    segnrrd/<case>.seg.nrrd, image and label map of nnU-Net, dicomseg/<case>.dcm and overlays/<case>.png.
    `finish` writes coco.json, annotations.xml, yolo/data.yaml, nnU-Net's dataset.json and, in any case,
    classes.csv.

    Attributes:
        faults: one line for each file of a single case that could not be written.
    """

    def __init__(
        self, folder: Path, classes: Sequence[str], formats: Sequence[str], *, again: bool = False
    ) -> None:
        """Create the folder.

        Args:
            folder: must not exist, unless `again`.
            classes: class names.
            formats: some of FORMATS.
            again: whether the folder has files of an earlier call, for `add_again`.
        """
        folder.mkdir(parents=True, exist_ok=again)
        self.folder, self.classes, self.formats = folder, tuple(classes), tuple(formats)
        self.faults: list[str] = []
        self._not_dicom: list[str] = []
        self._nnunet_names: set[str] = set()
        self._spool = Spool(folder / ".runs.jsonl")

    def add(
        self,
        case: str,
        masks: NDArray[np.bool_],
        image: NDArray[np.uint8],
        *,
        file_name: str,
        source: Path,
        spacing: tuple[float, float] | None = None,
    ) -> list[str]:
        """Write one case.

        Args:
            case: the name of its files; may contain folders.
            masks: (class, height, width), at the size and orientation of the user's file.
            image: grey values (height, width), at the same size and orientation.
            file_name: the image's name in COCO and CVAT files.
            source: the user's file; a DICOM SEG refers to it if it is DICOM.
            spacing: height and width of a pixel in mm, for NIfTI and .seg.nrrd; None if they are not known.

        Returns:
            The files written, relative to the folder.
        """
        written = []
        if "png" in self.formats:
            write_class_masks(self.folder / "masks" / case, masks, self.classes)
            present = (name for name, mask in zip(self.classes, masks, strict=True) if mask.any())
            written += [f"masks/{case}/{name}.png" for name in present]
        if "labelmap" in self.formats:
            written.append(f"labelmaps/{case}.png")
            write_label_map(self.folder / written[-1], masks)
        if "nifti" in self.formats:
            from samcarry.formats.nifti import write_nifti  # here, as few need it and its packages are large

            written.append(f"nifti/{case}.nii.gz")
            write_nifti(self.folder / written[-1], masks, self.classes, case, spacing)
        if "yolo" in self.formats:
            written.append(f"yolo/labels/{case}.txt")
            write_yolo(self.folder / written[-1], masks)
        if "segnrrd" in self.formats:
            written.append(f"segnrrd/{case}.seg.nrrd")
            write_seg_nrrd(self.folder / written[-1], masks, self.classes, spacing)
        if "nnunet" in self.formats:
            written += self._write_nnunet(case, image, masks, source)
        if "overlay" in self.formats:
            written.append(f"overlays/{case}.png")
            write_overlay(self.folder / written[-1], image, masks, self.classes)
        if "dicomseg" in self.formats and self._write_dicom_seg(case, masks, source):
            written.append(f"dicomseg/{case}.dcm")
        if self.needs_runs:
            self._spool.add(encode_image(file_name, masks))
        return written

    @property
    def needs_runs(self) -> bool:
        """Whether a format holds all cases in one file, which `finish` writes."""
        return bool({"coco", "cvat"} & set(self.formats))

    def add_again(self, case: str, image: EncodedImage | None, source: Path) -> None:
        """Add a case whose own files an earlier call has written.

        Args:
            case: as for `add`.
            image: its masks, with the image's name in COCO and CVAT files; needed only if `needs_runs`.
            source: as for `add`.
        """
        if "dicomseg" in self.formats and not is_dicom(source):
            self._not_dicom.append(case)
        self._nnunet_names.add(nnunet_name(case))
        if self.needs_runs and image is not None:
            self._spool.add(image)

    def finish(self) -> list[str]:
        """Write the files that hold all cases; return them, relative to the folder."""
        written = ["classes.csv"]
        write_class_table(self.folder / "classes.csv", self.classes)
        if "coco" in self.formats:
            written.append("coco.json")
            write_coco(self.folder / "coco.json", self._spool, self.classes)
        if "cvat" in self.formats:
            written.append("annotations.xml")
            write_cvat(self.folder / "annotations.xml", self._spool, self.classes)
        if "yolo" in self.formats:
            written.append("yolo/data.yaml")
            write_yolo_classes(self.folder / "yolo/data.yaml", self.classes)
        if "nnunet" in self.formats:
            written.append(f"nnunet/{DATASET}/dataset.json")
            folder = self.folder / "nnunet" / DATASET
            write_nnunet_description(folder, self.classes, len(self._nnunet_names))
        self._spool.path.unlink()
        if self._not_dicom:
            log.warning(
                "no DICOM SEG was written for images that are not DICOM: %s", shortlist(self._not_dicom)
            )
        return written

    def _write_nnunet(
        self, case: str, image: NDArray[np.uint8], masks: NDArray[np.bool_], source: Path
    ) -> list[str]:
        """Write a case of nnU-Net's data set; nothing if its name without folders is taken."""
        name = nnunet_name(case)
        if name in self._nnunet_names:
            self.faults.append(
                f"{source}: nnU-Net has no folders, and the name {name} is taken; rename the image"
            )
            return []
        self._nnunet_names.add(name)
        files = write_nnunet_case(self.folder / "nnunet" / DATASET, name, image, masks)
        return [f"nnunet/{DATASET}/{file}" for file in files]

    def _write_dicom_seg(self, case: str, masks: NDArray[np.bool_], source: Path) -> bool:
        """Write the DICOM SEG of a case; False if there is none."""
        if not is_dicom(source):
            self._not_dicom.append(case)
        elif masks.any():  # a segmentation object needs at least one segment
            from samcarry.formats.dicom_seg import write_dicom_seg  # here, as for NIfTI

            try:
                write_dicom_seg(self.folder / "dicomseg" / f"{case}.dcm", source, masks, self.classes)
                return True
            except InputError as error:
                self.faults.append(str(error))
        return False
