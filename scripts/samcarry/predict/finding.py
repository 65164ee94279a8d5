"""Finding the images that are to be predicted."""

import logging
from collections import Counter
from pathlib import Path

from samcarry.data.user_files import by_name, composed, image_name, visible_files
from samcarry.errors import InputError, shortlist
from samcarry.images import IMAGE_SUFFIXES
from samcarry.images.dicom import is_dicom, other_dicom_object

log = logging.getLogger(__name__)


def find_new_images(folder: str | Path) -> tuple[dict[str, Path], list[str]]:
    """{case: image file} of a folder and its subfolders, and one line for each image that is left out.

    `folder` may also be a single image. DICOM files without an image, such as the directory of a CD and
    reports, are skipped; their number is logged. A case is named after its file without the suffix, with its
    subfolders: 'monday/17'. DICOM files need no suffix. If two images have the same name, the second one is
    left out.

    Raises:
        InputError: there is no such folder or file, or it contains no images.
    """
    folder = Path(folder)
    faults: list[str] = []
    if folder.is_dir():
        files = visible_files(folder, faults)
    elif folder.is_file():
        files, folder = [folder], folder.parent
    else:
        raise InputError(
            f"{folder}: not found; give the path of the folder with your images, or of one image"
        )
    named, others = [], []
    without_image: Counter[str] = Counter()
    for file in files:
        known = image_name(file) is not None
        dicom = file.is_file() and is_dicom(file)
        if not known and not dicom:
            others.append(file.name)
            continue
        if dicom and (kind := other_dicom_object(file)):
            without_image[kind] += 1
            continue
        # DICOM files without a suffix often have names of digits and dots, which are kept unchanged.
        case = composed((file.with_suffix("") if known else file).relative_to(folder).as_posix())
        if not case.isprintable():
            faults.append(f"{str(file)!r}: its name contains an unprintable character; rename it")
        else:
            named.append((case, file))
    found = by_name(named, "image", faults)
    if others:
        log.warning("%s: skipped files that are not images: %s", folder, shortlist(others))
    if without_image:
        kinds = ", ".join(f"{count} {kind}" for kind, count in without_image.most_common())
        log.warning("%s: skipped %d DICOM files without an image: %s", folder, without_image.total(), kinds)
    if not found:
        raise InputError(f"{folder}: contains no images ({', '.join(IMAGE_SUFFIXES)}); add some")
    return found, faults
