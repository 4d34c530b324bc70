"""The figures that ``stacks.environment.sizing`` and ``scaling`` multiply with, read off real servers."""
