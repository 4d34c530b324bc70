"""Configuration of the policies: how strictly each is held, and its bounds. A file of it has the form of Pulumi's policy configurations."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from stacks.environment.units import Duration, printable

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

    exempt: tuple[str, ...] = ()
    """Beginnings of references that need no digest, such as the registry of a company that never moves a tag. Default: none."""


class RetentionBounds(Bounds):
    """Configuration of ``retention``."""

    minimum: Duration = timedelta(days=1)
    """Shortest retention. Default: a day, because an operator reads traces of last night in the morning."""
    maximum: Duration = timedelta(days=90)
    """Longest retention. Default: 90 days, because spans may hold pseudonyms of persons, which are kept no longer than they are needed."""


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
        levels = get_args(Level)
        return {
            str(name).replace("-", "_"): {"enforcementLevel": given} if name != "all" and given in levels else given
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
        lines = [f"{path}: {'.'.join(map(str, one['loc'])).replace('_', '-')}: {one['msg']}" for one in error.errors(include_url=False)]
        names = ", ".join(["all", *(field.replace("_", "-") for field in PolicySettings.model_fields if field != "all")])
        raise BadPolicySettingsError("\n".join(map(printable, [*lines, f"policies are {names}; see docs/policies.md"]))) from None
    except ValueError as error:
        raise BadPolicySettingsError(f'{path}: is not JSON ({error}); write for example {{"retention": {{"maximum": "30d"}}}}') from None
