"""Configuration of the policies: how strictly each is held, and its bounds. A file of it has the form of Pulumi's policy configurations."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from stacks.environment.units import Duration, format_duration, printable, refuse, shown

if TYPE_CHECKING:
    from pathlib import Path

Level = Literal["advisory", "mandatory", "disabled"]


class BadPolicySettingsError(Exception):
    """A configuration of policies that cannot be used; the text says what would be right."""


class Bounds(BaseModel):
    """Configuration of one policy: what every policy has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enforcementLevel: Level | None = None  # noqa: N815  Pulumi's name
    """``mandatory`` refuses a deployment, ``advisory`` warns, ``disabled`` does neither. Default: the policy's own level."""


class ImageBounds(Bounds):
    """Configuration of ``image-digests``."""

    exempt: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = ()
    """Beginnings of references that need no digest, such as the registry of a company that never moves a tag. Default: none."""


class RetentionBounds(Bounds):
    """Configuration of ``retention``."""

    minimum: Duration = timedelta(days=1)
    """Shortest retention. Default: a day, because an operator reads traces of last night in the morning."""
    maximum: Duration = timedelta(days=90)
    """Longest retention. Default: 90 days, because spans may hold pseudonyms of persons, which are kept no longer than they are needed."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minimum > self.maximum:
            raise refuse(f"the minimum {format_duration(self.minimum)} is above the maximum {format_duration(self.maximum)}")
        return self


class PolicySettings(BaseModel):
    """Configuration of all policies, by their names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    all: Level | None = None
    """Level of every policy whose own is not set. Default: each policy's."""
    restricted_pods: Bounds = Bounds()
    image_digests: ImageBounds = ImageBounds()
    protected_store: Bounds = Bounds()
    ui_login: Bounds = Bounds()
    intake: Bounds = Bounds()
    retention: RetentionBounds = RetentionBounds()
    quotas: Bounds = Bounds()
    disk: Bounds = Bounds()

    @model_validator(mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        """Names have hyphens, and a level alone stands for a configuration that holds only it, as Pulumi has it."""
        if not isinstance(value, dict):
            return value
        if wrong := [name for name in value if "_" in name]:
            raise refuse(f"{shown(wrong[0])} is no policy; names have hyphens")
        levels = get_args(Level)
        return {
            name.replace("-", "_"): {"enforcementLevel": given} if name != "all" and given in levels else given
            for name, given in value.items()
        }

    def of(self, name: str) -> Bounds:
        """Return the configuration of a policy."""
        bounds: Bounds = getattr(self, name.replace("-", "_"))
        return bounds


def read_settings(path: Path) -> PolicySettings:
    """Return the configuration that a JSON file holds. Raises ``BadPolicySettingsError``."""
    try:
        given: Any = json.loads(path.read_text(encoding="utf-8"))
        return PolicySettings.model_validate(given)
    except OSError as error:
        raise BadPolicySettingsError(f"{path}: {error.strerror}; name a file of policy settings in JSON") from None
    except ValidationError as error:
        places = [(".".join(map(str, one["loc"])).replace("_", "-") or "the whole", one["msg"]) for one in error.errors(include_url=False)]
        lines = [f"{path}: {place}: {wrong}" for place, wrong in places]
        names = ", ".join(["all", *(field.replace("_", "-") for field in PolicySettings.model_fields if field != "all")])
        raise BadPolicySettingsError("\n".join(map(printable, [*lines, f"policies are {names}; see docs/policies.md"]))) from None
    except (ValueError, RecursionError) as error:
        raise BadPolicySettingsError(f'{path}: is not JSON ({error}); write for example {{"retention": {{"maximum": "30d"}}}}') from None
