"""Set files from the future to now, in their order: python tools/mend_times.py PATH ...

Not a rule of the workflow: it names this command where the clock was set back. Files keep their content.
"""

import sys
import time
from pathlib import Path

# The library is beside this folder, installed or not.
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from samcarry.pipeline.clock import mend_times


def main(paths: list[str]) -> int:
    """Mend the times of files and folders, and of all that is in them."""
    try:
        print(f"{mend_times(paths, time.time_ns())} files were from the future and are from now")
    except OSError as error:
        print(f"{error.filename}: its time cannot be changed: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
