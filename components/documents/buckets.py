"""Object storage of Tempo's blocks: a bucket of an S3-compatible server, of Google Cloud, or a container of Azure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.documents.text import Quoted

Part = dict[str, Any]

AZURE_ENDPOINT = "blob."
"""Beginning of the endpoint of a storage account; Tempo takes any other for an emulator, and asks it in plain HTTP."""


@dataclass(frozen=True, slots=True)
class S3Bucket:
    """An S3-compatible bucket. ``credentials`` tells whether the variables S3_ACCESS_KEY and S3_SECRET_KEY hold its keys.

    Without them the server takes the identity of its node or pod. ``endpoint`` is a host, or ``host:port``. ``authority`` is the path of
    the PEM by which its certificate is known, None for the public authorities.
    """

    name: str
    endpoint: str
    region: str | None
    credentials: bool
    plain_http: bool = False
    authority: str | None = None

    @property
    def expanded(self) -> bool:
        """Whether the server has to put values of variables into its document."""
        return self.credentials

    def storage(self) -> Part:
        """The section of Tempo's document."""
        # Path style is what every S3-compatible server understands.
        place: Part = {"bucket": self.name, "endpoint": self.endpoint, "forcepathstyle": True}
        if self.region is not None:
            place["region"] = self.region
        if self.plain_http:
            place["insecure"] = True
        if self.authority is not None:
            place["tls_ca_path"] = self.authority
        if self.credentials:
            place |= {"access_key": Quoted("${S3_ACCESS_KEY}"), "secret_key": Quoted("${S3_SECRET_KEY}")}
        return {"backend": "s3", "s3": place}


@dataclass(frozen=True, slots=True)
class GcsBucket:
    """A bucket of Google Cloud Storage.

    The file that the variable GOOGLE_APPLICATION_CREDENTIALS names holds its key; without it the server takes the identity of its node or
    pod.
    """

    name: str

    @property
    def expanded(self) -> bool:
        """Whether the server has to put values of variables into its document."""
        return False

    def storage(self) -> Part:
        """The section of Tempo's document."""
        return {"backend": "gcs", "gcs": {"bucket_name": self.name}}


@dataclass(frozen=True, slots=True)
class AzureContainer:
    """A container of an Azure storage account. ``credentials`` tells whether the variable AZURE_ACCOUNT_KEY holds the account's key.

    Without it the server takes the identity of its pod (``federated``), else that of its node, which ``client_id`` chooses where there are
    several.
    """

    account: str
    name: str
    endpoint: str
    credentials: bool
    federated: bool
    client_id: str | None

    @property
    def expanded(self) -> bool:
        """Whether the server has to put values of variables into its document."""
        return self.credentials

    def storage(self) -> Part:
        """The section of Tempo's document."""
        place: Part = {"storage_account_name": self.account, "container_name": self.name, "endpoint_suffix": self.endpoint}
        if self.credentials:
            place["storage_account_key"] = Quoted("${AZURE_ACCOUNT_KEY}")
        elif self.federated:
            place["use_federated_token"] = True
        else:
            place |= {"use_managed_identity": True} | ({"user_assigned_id": self.client_id} if self.client_id is not None else {})
        return {"backend": "azure", "azure": place}


Bucket = S3Bucket | GcsBucket | AzureContainer
