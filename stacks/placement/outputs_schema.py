"""JSON schema of the outputs, with every field's docstring as its description."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from pathlib import Path
from typing import Any

from stacks.placement.outputs import Outputs


def outputs_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of the outputs, which have the fields of a store.

    The docstrings are read here and not by pydantic's ``use_attribute_docstrings``, which would read them in each service that starts.
    """
    schema = Outputs.model_json_schema()
    texts = _docstrings(Path(inspect.getfile(Outputs)).read_text(encoding="utf-8"))
    inherited = [base.__name__ for base in Outputs.__mro__]
    for model in (schema, *schema["$defs"].values()):
        for name, field in model["properties"].items():
            field["description"] = next(texts[title, name] for title in (model["title"], *inherited) if (title, name) in texts)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _docstrings(source: str) -> dict[tuple[str, str], str]:
    """Return the docstring of each field, by class and field."""
    texts = {}
    for model in (each for each in ast.parse(source).body if isinstance(each, ast.ClassDef)):
        for field, text in pairwise(model.body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                texts[model.name, ast.unparse(field.target)] = inspect.cleandoc(str(text.value.value))
    return texts
