"""Write the checksums of results of an earlier version: python tools/write_checksums.py results/mine.

Files that have a checksum keep it. Needed only if the results are to be kept, see docs/reruns.md.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from samcarry.pipeline.ledger import seal_unsealed


def main() -> None:
    """Seal the results folders that are named on the command line."""
    folders = [Path(argument) for argument in sys.argv[1:]]
    if not folders or not all(folder.is_dir() for folder in folders):
        sys.exit("name the results folders, such as results/mine")
    for folder in folders:
        print(f"{folder}: {len(seal_unsealed(folder))} files and folders got a checksum")


if __name__ == "__main__":
    main()
