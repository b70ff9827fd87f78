"""Where a webhook is called: by URL or by Service (apiserver's `util/webhook` validation)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from kubeactors.api import fielderrors
from kubeactors.api.fielderrors import FieldError
from kubeactors.api.validation.names import dns1123_subdomain_errors

_FORM: Final = "; desired format: https://host[/path]"


def webhook_url_errors(url: str, path: str, *, https: bool) -> list[FieldError]:
    """Of a webhook's URL. `https`: no other scheme is allowed."""
    try:
        parts = urlsplit(url)
        host, user = parts.netloc.rpartition("@")[2], parts.netloc.rpartition("@")[0]
        valid = parts.port is None or parts.port >= 0
    except ValueError as error:
        return [fielderrors.required(path, f"url must be a valid URL: {error}{_FORM}")]
    errors: list[FieldError] = []
    if https and parts.scheme != "https":
        errors.append(fielderrors.invalid(path, parts.scheme, f"'https' is the only allowed URL scheme{_FORM}"))
    if not host or not valid:
        errors.append(fielderrors.invalid(path, host, f"host must be specified{_FORM}"))
    if user:
        errors.append(fielderrors.invalid(path, user, "user information is not permitted in the URL"))
    if parts.fragment:
        errors.append(fielderrors.invalid(path, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        errors.append(fielderrors.invalid(path, parts.query, "query parameters are not permitted in the URL"))
    return errors


def webhook_service_errors(service: Mapping[str, Any], path: str) -> list[FieldError]:
    """Of a reference to a Service; `port` must be defaulted already."""
    errors: list[FieldError] = []
    if not service.get("name"):
        errors.append(fielderrors.required(f"{path}.name"))
    if not service.get("namespace"):
        errors.append(fielderrors.required(f"{path}.namespace"))
    port = service.get("port") or 0
    if not 1 <= port <= 65535:
        message = "port is not valid: must be between 1 and 65535, inclusive"
        errors.append(fielderrors.invalid(f"{path}.port", port, message))
    return errors + _path_errors(service.get("path") or "", f"{path}.path")


def _path_errors(url_path: str, where: str) -> list[FieldError]:
    if url_path in ("", "/"):
        return []
    if url_path == "//":
        return [fielderrors.invalid(where, url_path, "segment[0] may not be empty")]
    errors: list[FieldError] = []
    if not url_path.startswith("/"):
        errors.append(fielderrors.invalid(where, url_path, "must start with a '/'"))
    for index, segment in enumerate(url_path[1:].removesuffix("/").split("/")):
        if not segment:
            errors.append(fielderrors.invalid(where, url_path, f"segment[{index}] may not be empty"))
            continue
        for message in dns1123_subdomain_errors(segment):
            errors.append(fielderrors.invalid(where, url_path, f"segment[{index}]: {message}"))
    return errors


def ca_bundle_errors(bundle: str, path: str) -> list[FieldError]:
    """Of PEM certificates, given in base64."""
    # Imported late: clients and controllers, which never come here, need not load it.
    from cryptography import x509

    try:
        x509.load_pem_x509_certificates(base64.b64decode(bundle))
    except (binascii.Error, ValueError) as error:
        return [fielderrors.invalid(path, bundle, f"unable to load root certificates: {error}")]
    return []
