"""The files that kubelet manages in containers: /etc/hosts, /etc/resolv.conf, /etc/hostname. Pure texts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubeactors.api.meta import Object

_MAX_HOSTNAME = 63
#: The longest name of a machine that Linux takes, in characters.
_MAX_FQDN = 64


class NameTooLong(Exception):
    """The pod's full name cannot be its hostname; the text is kubelet's."""


@dataclass(frozen=True)
class Resolver:
    """What a resolv.conf says."""

    nameservers: tuple[str, ...]
    searches: tuple[str, ...]
    options: tuple[str, ...]


def hostname_of(pod: Object) -> str:
    """spec.hostname or the pod's name, cut to 63 characters as the kernel and DNS want it."""
    override = pod["spec"].get("hostnameOverride")
    if override:
        return str(override)
    name = str(pod["spec"].get("hostname") or pod["metadata"]["name"])
    return name[:_MAX_HOSTNAME].rstrip("-.")


def kernel_hostname(pod: Object, cluster_domain: str) -> str:
    """The name of the machine in the pod: its hostname, with setHostnameAsFQDN its full name. Raises NameTooLong."""
    hostname, domain = hostname_of(pod), domain_of(pod, cluster_domain)
    if not (pod["spec"].get("setHostnameAsFQDN") and domain):
        return hostname
    full = f"{hostname}.{domain}"
    if len(full) > _MAX_FQDN:
        text = "failed to construct FQDN from pod hostname and cluster domain"
        limits = f"{_MAX_FQDN} characters is the max, {len(full)} characters requested"
        raise NameTooLong(f"{text}, FQDN {full} is too long ({limits})")
    return full


def domain_of(pod: Object, cluster_domain: str) -> str:
    """The pod's own domain when it has a subdomain, else empty; what overrides the hostname overrides it too."""
    spec = pod["spec"]
    subdomain = None if spec.get("hostnameOverride") else spec.get("subdomain")
    return f"{subdomain}.{pod['metadata'].get('namespace', '')}.svc.{cluster_domain}" if subdomain else ""


def hosts_text(pod: Object, ips: Sequence[str], cluster_domain: str, node_hosts: str = "") -> str:
    """/etc/hosts of a pod; with hostNetwork, the node's own (`node_hosts`) with the aliases."""
    if pod["spec"].get("hostNetwork"):
        text = "# Kubernetes-managed hosts file (host network).\n" + node_hosts
    else:
        lines = [
            "# Kubernetes-managed hosts file.",
            "127.0.0.1\tlocalhost",
            "::1\tlocalhost ip6-localhost ip6-loopback",
            "fe00::0\tip6-localnet",
            "fe00::0\tip6-mcastprefix",
            "fe00::1\tip6-allnodes",
            "fe00::2\tip6-allrouters",
        ]
        hostname, domain = hostname_of(pod), domain_of(pod, cluster_domain)
        for ip in ips:
            lines.append(f"{ip}\t{hostname}.{domain}\t{hostname}" if domain else f"{ip}\t{hostname}")
        text = "\n".join(lines) + "\n"
    return text + _aliases(pod["spec"].get("hostAliases") or ())


def _aliases(aliases: Iterable[Object]) -> str:
    lines = [f"{alias['ip']}\t" + "\t".join(alias.get("hostnames") or ()) for alias in aliases]
    return "\n# Entries added by HostAliases.\n" + "\n".join(lines) + "\n" if lines else ""


def parse_resolv_conf(text: str) -> Resolver:
    """The node's resolv.conf; the last `search` line counts."""
    nameservers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if not words:
            continue
        if words[0] == "nameserver" and len(words) > 1:
            nameservers.append(words[1])
        elif words[0] == "search":
            searches = words[1:]
        elif words[0] == "options":
            options += words[1:]
    return Resolver(tuple(nameservers), tuple(searches), tuple(options))


def resolv_conf_text(pod: Object, cluster_dns: Sequence[str], cluster_domain: str, node: Resolver) -> str:
    """/etc/resolv.conf by dnsPolicy and dnsConfig. Without a cluster DNS, ClusterFirst means the node's resolver."""
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    if policy == "None":
        resolver = Resolver((), (), ())
    elif policy in ("ClusterFirst", "ClusterFirstWithHostNet") and cluster_dns:
        namespace = pod["metadata"].get("namespace", "")
        searches: tuple[str, ...] = (f"{namespace}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain)
        searches += tuple(s for s in node.searches if s not in searches)
        resolver = Resolver(tuple(cluster_dns), searches, ("ndots:5",))
    else:
        resolver = node
    config = spec.get("dnsConfig") or {}
    nameservers = _unique([*resolver.nameservers, *(config.get("nameservers") or ())])
    searches_all = _unique([*resolver.searches, *(config.get("searches") or ())])
    options = list(resolver.options)
    for option in config.get("options") or ():
        name, value = option["name"], option.get("value")
        options = [o for o in options if o.split(":")[0] != name]
        options.append(f"{name}:{value}" if value else name)
    lines = []
    if searches_all:
        lines.append("search " + " ".join(searches_all))
    lines += [f"nameserver {server}" for server in nameservers]
    if options:
        lines.append("options " + " ".join(options))
    return "\n".join(lines) + "\n" if lines else ""


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
