"""The models of ``waldur_api_client``, imported one by one."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Final

_PACKAGE: Final = "waldur_api_client.models"


def import_singly() -> None:
    """Let modules of models be imported without their package, which imports all 3,200 of them and takes four seconds for it.

    The functions of the client's API name the module of each model that they use. Does nothing once the package is imported.
    """
    client = importlib.util.find_spec("waldur_api_client")
    if _PACKAGE not in sys.modules and client is not None and client.submodule_search_locations:
        package = ModuleType(_PACKAGE)
        package.__path__ = [f"{folder}/models" for folder in client.submodule_search_locations]
        sys.modules[_PACKAGE] = package
