"""The JSON schema of the outputs."""

from __future__ import annotations

import json

import jsonschema
import pytest

from stacks.placement.outputs_schema import outputs_schema
from tests.tracing_lib.samples import MAPPING, mapping
from tracing_lib.contract.outputs import Outputs


def test_the_json_schema_accepts_what_is_written_and_describes_every_field() -> None:
    schema = outputs_schema()
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(json.loads(Outputs.parse(MAPPING).to_json(secrets=True)))
    assert all(field.get("description") for field in schema["properties"].values())
    for change in ({"head_ratio": 2}, {"backend": "zipkin"}, {"query_url": "ftp://x"}, {"schema_version": 2}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(mapping(**change))
