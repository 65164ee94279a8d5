"""Add the pins of all dependencies to each file of envs/, from requirements.lock (needs uv)."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARK = "      # What these need; make lock writes it.\n"
UV = "uv pip compile - --quiet --universal --python-version 3.11 --no-annotate --no-header"


def dependencies_of(pins: list[str]) -> list[str]:
    """Pins of everything that `pins` depend on, without `pins`, for Python 3.11, with platform markers."""
    output = subprocess.run(
        [*UV.split(), "-c", "requirements.lock"],
        input="\n".join(pins),
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
    path.write_text(own + MARK + "".join(f"      - {line}\n" for line in dependencies_of(pins)))
