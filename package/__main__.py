"""Host of the component package ``tracingbackbone``; `pulumi package add` starts it, for programs in any language."""

import sys
import tomllib
from pathlib import Path

from pulumi.provider.experimental import component_provider_host

ROOT = Path(__file__).resolve().parents[1]
# The component is imported from the repository that this folder belongs to.
sys.path.insert(0, str(ROOT))

from stacks.backbone import TracingBackbone  # noqa: E402

version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
component_provider_host([TracingBackbone], "tracingbackbone", namespace="virtengine", version=version)
