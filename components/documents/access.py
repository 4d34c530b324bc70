"""The document of oauth2-proxy, which stands before the user interface and lets operators pass.

Source: https://oauth2-proxy.github.io/oauth2-proxy/configuration/overview. The client secret and the cookie secret come from the
environment variables OAUTH2_PROXY_CLIENT_SECRET and OAUTH2_PROXY_COOKIE_SECRET, never from the document.
"""

from __future__ import annotations

from dataclasses import dataclass

from components.documents.text import toml


@dataclass(frozen=True, slots=True)
class Login:
    """Users that may pass: those whom the OpenID Connect ``issuer`` puts into one of ``groups``, read from the claim ``groups_claim``.

    ``scopes`` are asked for at login. ``trusted_proxies`` are the networks whose word on the client's address and scheme is taken.
    ``authority`` is the path of the PEM by which the issuer's certificate is known, None for the public authorities.
    """

    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    groups_claim: str
    groups: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    authority: str | None = None


def proxy(login: Login, *, host: str, listen: str, telemetry: str, upstream: str) -> str:
    """The configuration file; ``host`` is where browsers come, ``upstream`` the URL of what they are let through to."""
    settings: dict[str, str | bool | list[str]] = {
        "http_address": listen,
        "metrics_address": telemetry,
        # TLS ends at the Ingress, which says so in X-Forwarded-*.
        "reverse_proxy": True,
        "trusted_proxy_ips": list(login.trusted_proxies),
        "provider": "oidc",
        "oidc_issuer_url": login.issuer,
        "client_id": login.client_id,
        "code_challenge_method": "S256",
        "insecure_oidc_skip_nonce": False,
        "redirect_url": f"https://{host}/oauth2/callback",
        "scope": " ".join(login.scopes),
        "oidc_groups_claim": login.groups_claim,
        "allowed_groups": list(login.groups),
        # The groups decide who passes, not the domain of an address.
        "email_domains": ["*"],
        # Without the final slash nothing below it would be passed on.
        "upstreams": [f"{upstream}/"],
        "skip_provider_button": True,
        # Programs are answered 401, not sent to a login page that they cannot fill in.
        "api_routes": ["^/api/"],
        "cookie_name": "__Host-virtengine-tracing",
        "cookie_secure": True,
        "cookie_httponly": True,
        "cookie_samesite": "lax",
        "cookie_expire": "8h",
        "cookie_refresh": "1h",
        # What the user interface logs and shows need not know who looks.
        "pass_user_headers": False,
        "pass_access_token": False,
        "silence_ping_logging": True,
    }
    if login.authority is not None:
        settings["provider_ca_files"] = [login.authority]
    return "".join(f"{key} = {toml(value)}\n" for key, value in settings.items())
