"""Makes `python -m samcarry` the command line."""

import sys

from samcarry.cli import main

sys.exit(main())
