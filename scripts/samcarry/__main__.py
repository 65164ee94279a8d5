"""The command line as `python -m samcarry`."""

import sys

from samcarry.cli import main

sys.exit(main())
