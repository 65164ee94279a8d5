"""Fix modification times in the future: python tools/fix_times.py PATH ...

This is not a rule of the workflow. The workflow names this command if the system clock was set back. The
files get times before now, in their old order; their content stays the same.
"""

import sys
import time
from pathlib import Path

# Use the library next to this folder, even if it is not installed.
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from samcarry.pipeline.clock import fix_times


def main(paths: list[str]) -> int:
    """Fix the times of files and folders and their contents; return the exit status."""
    try:
        print(f"files with a fixed modification time: {fix_times(paths, time.time_ns())}")
    except OSError as error:
        print(f"{error.filename}: its time cannot be changed: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
