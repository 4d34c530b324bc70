"""The Pulumi program; what it does is in ``stacks.main``."""

from stacks.main import main

main()
