"""Builders of COCO documents for tests."""

SQUARE = [[1, 1, 4, 1, 4, 3, 1, 3]]  # columns 1 to 3, rows 1 and 2


def annotation(segmentation=SQUARE, number: int = 1, **changes) -> dict:
    return {"id": number, "image_id": 7, "category_id": 3, "segmentation": segmentation} | changes


def document(*annotations: dict, height: int = 5, width: int = 6, **changes) -> dict:
    return {
        "images": [{"id": 7, "file_name": "a.png", "height": height, "width": width}],
        "categories": [{"id": 3, "name": "Ulna"}, {"id": 4, "name": "Radius"}],
        "annotations": list(annotations),
    } | changes
