"""Builders of VIA's annotations for tests."""

import csv
import io
import json

SQUARE = {"name": "polygon", "all_points_x": [1, 4, 4, 1], "all_points_y": [1, 1, 3, 3]}


def region(shape: dict = SQUARE, **attributes) -> dict:
    return {"shape_attributes": shape, "region_attributes": attributes or {"class": "ulna"}}


def entry(*regions: dict, name: str = "a.png", **changes) -> dict:
    return {"filename": name, "size": 1234, "regions": list(regions), "file_attributes": {}} | changes


def document(*entries: dict, project: bool = False) -> dict:
    """Annotations, or the project that holds them."""
    images = {f"{image['filename']}{image['size']}": image for image in entries}
    return {"_via_settings": {}, "_via_img_metadata": images, "_via_attributes": {}} if project else images


def table(*entries: dict, name: str = "filename") -> str:
    """The same annotations as VIA's CSV."""
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(
        [
            name,
            "file_size",
            "file_attributes",
            "region_count",
            "region_id",
            "region_shape_attributes",
            "region_attributes",
        ]
    )
    for image in entries:
        count = len(image["regions"])
        for number, part in enumerate(
            image["regions"] or [{"shape_attributes": {}, "region_attributes": {}}]
        ):
            texts = (json.dumps(part[key]) for key in ("shape_attributes", "region_attributes"))
            rows.writerow([image["filename"], image["size"], "{}", count, number, *texts])
    return stream.getvalue()
