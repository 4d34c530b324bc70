"""The base of every section of an environment file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from stacks.environment.units import refuse, shown

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


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

    @model_validator(mode="before")
    @classmethod
    def _rest_by_default(cls, settings: object) -> object:
        """Fill up sections of which some settings are written, by the default of each of them and not by that of any section of its type.

        A setting that the type requires is left required, because a kind or a size is never guessed.
        """
        if not isinstance(settings, dict):
            return settings
        return {name: _filled(value, cls.model_fields.get(name)) for name, value in settings.items()}

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


def _filled(value: object, field: FieldInfo | None) -> object:
    default = None if field is None else field.default
    if not isinstance(default, Section) or not isinstance(value, dict):
        return value
    chosen = {name for name in default.model_fields_set if not type(default).model_fields[name].is_required()}
    return default.model_dump(mode="json", include=chosen) | value
