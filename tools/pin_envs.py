"""Write below the pins of each of envs/ those of all that they need, from requirements.lock (needs uv)."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARK = "      # What these need; make lock writes it.\n"
UV = "uv pip compile - --quiet --universal --python-version 3.11 --no-annotate --no-header"


def needed_by(pins: list[str]) -> list[str]:
    """All requirements of `pins` but themselves, for Python 3.11, with markers of the platform."""
    asked = "\n".join(pins)
    output = subprocess.run(
        [*UV.split(), "-c", "requirements.lock"],
        input=asked,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [
        line for line in output.splitlines() if not re.search(r"python_full_version >= '3\.1[2-9]'", line)
    ]
    lines = [re.sub(r" ?; python_full_version < '[\d.]+'( and )?", r" ;\1", line) for line in lines]
    lines = [line.replace(" ; and ", " ; ").replace("; and ", "; ").removesuffix(" ;") for line in lines]
    return [line for line in lines if line not in pins]


for path in sorted((ROOT / "envs").glob("*.yaml")):
    own = path.read_text().split(MARK)[0]
    pins = re.findall(r"^      - (\S+==\S+)", own, re.MULTILINE)
    path.write_text(own + MARK + "".join(f"      - {line}\n" for line in needed_by(pins)))
