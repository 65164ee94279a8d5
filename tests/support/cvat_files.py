"""Builders of CVAT 1.1 XML files for tests."""

from pathlib import Path

SQUARE = "1,1;4,1;4,3;1,3"  # columns 1 to 3, rows 1 and 2


def polygon(points: str = SQUARE, label: str = "Ulna", inside: str = "") -> str:
    return f'<polygon label="{label}" points="{points}">{inside}</polygon>'


def bone(name: str) -> str:
    return f'<attribute name="Anatomie">{name}</attribute>'


def runs(rle: str, box: tuple[int, int, int, int] = (0, 0, 2, 2)) -> str:
    left, top, width, height = box
    place = f'left="{left}" top="{top}" width="{width}" height="{height}"'
    return f'<mask label="Ulna" rle="{rle}" {place}/>'


def image(*shapes: str, name: str = "a.png", size: str = 'width="6" height="5"') -> str:
    return f'<image id="0" name="{name}" {size}>{"".join(shapes)}</image>'


def save(tmp_path: Path, *images: str) -> Path:
    path = tmp_path / "annotations.xml"
    path.write_text(f"<annotations><version>1.1</version>{''.join(images)}</annotations>")
    return path
