"""Write docs/licences.md: every package that requirements.lock installs, with its licence.

    .venv/bin/python tools/list_licences.py

Licences are read from the metadata of the packages. A few packages name none there; theirs were looked up in
their repositories.
"""

from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOT_LOCKED = ("samcarry", "pip")  # this project, and a part of Python
NOT_IN_METADATA = {
    "atheris": "Apache-2.0",
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

samcarry is under the MIT licence.
It does not include any of the packages below; `make` installs them from `requirements.lock`.
Nearly all of them have permissive licences (MIT, BSD, Apache, PSF), which are compatible with MIT.
The exceptions are:

- **MPL-2.0** (certifi, hypothesis, pathspec, tqdm in part): it only concerns changes to their own files.
- **LGPL-3.0** (connected-components-3d, a dependency of nnU-Net): used as a library, unchanged.
  Of the environments, only `envs/nnunet.yaml` contains it, and no other method imports it.
- **docutils** names the GPL for a file of its Emacs mode.
  The library itself is in the public domain and under BSD.
- **NVIDIA's own** (nvidia-*, cuda-toolkit): the CUDA libraries that PyTorch needs.
  Their terms say what may be distributed with an application; read them before you share a container.

`tools/list_licences.py` writes this page; run it after `make lock` and `make install`.
This page does not list known vulnerabilities.
`pip-audit -r requirements.lock --require-hashes --disable-pip` lists them, if it can reach its database.

| package | version | licence |
|---|---|---|
"""


def licence_of(package: Distribution) -> str:
    """The licence that the metadata of a package name, in a few words."""
    metadata = package.metadata
    names = [name for name in metadata.get_all("Classifier", []) if name.startswith("License")]
    found = (
        metadata.get("License-Expression")
        or "; ".join(name.split("::")[-1].strip() for name in names)
        or metadata.get("License", "").split("\n")[0]
        or NOT_IN_METADATA[metadata["Name"].lower()]
    )
    return "NVIDIA's own" if "NVIDIA" in found or "Proprietary" in found else found


def main() -> None:
    """Write docs/licences.md."""
    packages = {package.metadata["Name"].lower().replace("_", "-"): package for package in distributions()}
    rows = [
        f"| {name} | {package.version} | {licence_of(package)} |"
        for name, package in sorted(packages.items())
        if name not in NOT_LOCKED
    ]
    (ROOT / "docs/licences.md").write_text(ABOUT + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
