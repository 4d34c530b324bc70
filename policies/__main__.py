"""The policy pack: ``pulumi preview --policy-pack policies``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stacks.policies.pack import pack

pack()
