"""``python -m stacks``."""

import sys

from stacks.cli.cli import main

sys.exit(main())
