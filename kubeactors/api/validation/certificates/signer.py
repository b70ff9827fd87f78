"""Names of signers: `example.com/signer-name`."""

from typing import Final

from kubeactors.api.fielderrors import FieldError, go_quote, invalid, required, too_long
from kubeactors.api.validation.common import TWO_SEGMENTS
from kubeactors.api.validation.names import DNS1123_LABEL_MAX, DNS1123_SUBDOMAIN_MAX, dns1123_subdomain_errors

_FORM: Final = "must be a fully qualified domain and path of the form 'example.com/signer-name'"

_MAX: Final = DNS1123_SUBDOMAIN_MAX + 1 + DNS1123_LABEL_MAX + 1 + DNS1123_SUBDOMAIN_MAX


def signer_name_errors(name: str, path: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    domain, _, rest = name.partition("/")
    if name.count("/") != 1:
        return [invalid(path, name, _FORM)]
    errors: list[FieldError] = []
    if len(domain.encode()) > DNS1123_SUBDOMAIN_MAX:
        errors.append(too_long(path, DNS1123_SUBDOMAIN_MAX))
    errors += [
        invalid(path, domain, f"validating label {go_quote(domain)}: {m}") for m in dns1123_subdomain_errors(domain)
    ]
    if "." not in domain:
        errors.append(invalid(path, domain, TWO_SEGMENTS))
    for label in rest.split("."):
        messages = dns1123_subdomain_errors(label)
        errors += [invalid(path, rest, f"validating label {go_quote(label)}: {m}") for m in messages]
        if messages:
            break
    if len(name.encode()) > _MAX:
        errors.append(too_long(path, _MAX))
    return errors


def is_kubernetes_signer(name: str) -> bool:
    """Whether the name is reserved for Kubernetes itself."""
    host = name.partition("/")[0]
    return host == "kubernetes.io" or host.endswith(".kubernetes.io")
