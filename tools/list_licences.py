"""Write docs/licences.md: every package that requirements.lock installs, with its licence.

    .venv/bin/python tools/list_licences.py

The licence is what a package says of itself; a few say nothing, and are looked up in their repository.
"""

from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOT_LOCKED = ("samcarry", "pip")  # this project, and what comes with Python
SAYS_NOTHING = {
    "conda-inject": "MIT",
    "cuda-toolkit": "NVIDIA's own",
    "segment-anything": "Apache-2.0",
    "snakemake-interface-common": "MIT",
    "snakemake-interface-logger-plugins": "MIT",
    "snakemake-interface-report-plugins": "MIT",
    "snakemake-interface-scheduler-plugins": "MIT",
    "snakemake-interface-storage-plugins": "MIT",
}
ABOUT = """# Licences

samcarry is under the MIT licence. It ships none of these packages; `make` installs them from
`requirements.lock`. Nearly all are under permissive licences (MIT, BSD, Apache, PSF), which go well with MIT.
The others:

- **MPL-2.0** (certifi, hypothesis, pathspec, tqdm in part): concerns changes to their own files alone.
- **LGPL-3.0** (connected-components-3d, which comes with nnU-Net): used as a library, unchanged. It stands in
  `envs/nnunet.yaml` alone of the environments, and no other method imports it.
- **docutils** names the GPL for a file of its Emacs mode; the library is in the public domain and under BSD.
- **NVIDIA's own** (nvidia-*, cuda-toolkit): the CUDA libraries that PyTorch brings. Their terms say what may
  be passed on with an application; read them before you pass on a container.

`tools/list_licences.py` writes this page, after `make lock` and `make install`. Known vulnerabilities are not
listed here: where their database can be reached, run
`pip-audit -r requirements.lock --require-hashes --disable-pip`.

| package | version | licence |
|---|---|---|
"""


def licence_of(package: Distribution) -> str:
    """What a package says of its licence, in a few words."""
    told = package.metadata
    names = [name for name in told.get_all("Classifier", []) if name.startswith("License")]
    found = (
        told.get("License-Expression")
        or "; ".join(name.split("::")[-1].strip() for name in names)
        or told.get("License", "").split("\n")[0]
        or SAYS_NOTHING[told["Name"].lower()]
    )
    return "NVIDIA's own" if "NVIDIA" in found or "Proprietary" in found else found


def main() -> None:
    """Write the page."""
    packages = {package.metadata["Name"].lower().replace("_", "-"): package for package in distributions()}
    rows = [
        f"| {name} | {package.version} | {licence_of(package)} |"
        for name, package in sorted(packages.items())
        if name not in NOT_LOCKED
    ]
    (ROOT / "docs/licences.md").write_text(ABOUT + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
