"""The base of every section of an environment file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from stacks.environment.units import refuse, shown


class Section(BaseModel):
    """A mapping of an environment file. Unknown keys are refused, and a value is never bent to another type."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        # A title is given or absent: one made of the name of the field would stand in sentences.
        field_title_generator=lambda _name, _field: "",
    )

    @field_validator("*")
    @classmethod
    def _once(cls, value: object) -> object:
        """Refuse a list in which a text stands twice: two objects of one name would be made of it."""
        if isinstance(value, tuple):
            seen: set[str] = set()
            for item in (item for item in value if isinstance(item, str)):
                if item in seen:
                    raise refuse(f"{shown(item)} stands twice; keep one of them")
                seen.add(item)
        return value
