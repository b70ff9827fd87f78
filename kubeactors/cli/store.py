"""`kubeactors store snapshot save|restore|status`: backups of the store, and a new cluster from one.

It needs neither Ray nor a running cluster, except that `save` asks a store member.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
from dataclasses import asdict

import grpc.aio

from kubeactors.actors.paths import Paths
from kubeactors.cli.errors import CommandError
from kubeactors.pki.cluster import ClusterPki
from kubeactors.store.client import TlsFiles
from kubeactors.store.client.snapshot import save
from kubeactors.store.config import ALONE, parse_initial_cluster
from kubeactors.store.disk import Disk
from kubeactors.store.errors import StoreError
from kubeactors.store.snapshot.export import open_export
from kubeactors.store.snapshot.recovery import Summary, describe_file, restore_member


async def run(options: argparse.Namespace, paths: Paths) -> int:
    """Raises CommandError."""
    logging.getLogger("kubeactors.store").setLevel(logging.ERROR)
    os.umask(0o077)
    try:
        match options.snapshot_command:
            case "save":
                return await _save(options, paths)
            case "restore":
                return _restore(options)
            case _:
                return _status(options)
    except StoreError as error:
        raise CommandError(error.message) from error
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from error


async def _save(options: argparse.Namespace, paths: Paths) -> int:
    endpoints = [endpoint.strip() for endpoint in options.endpoints.split(",") if endpoint.strip()]
    problems = []
    for endpoint in endpoints:
        tls = None if endpoint.startswith("http://") else _tls(options, paths)
        try:
            size = await save(endpoint, tls, options.file)
        except (StoreError, TimeoutError, grpc.aio.AioRpcError) as error:
            problems.append(f"{endpoint}: {error}")
        else:
            print(f"Snapshot of {endpoint} saved at {options.file} ({size} bytes)")
            return 0
    raise CommandError("no member has sent a snapshot: " + "; ".join(problems))


def _tls(options: argparse.Namespace, paths: Paths) -> TlsFiles:
    pki = ClusterPki(paths.pki)
    return TlsFiles(
        options.cacert or str(pki.store_ca),
        options.cert or str(pki.certificate("apiserver-etcd-client")),
        options.key or str(pki.key("apiserver-etcd-client")),
    )


def _restore(options: argparse.Namespace) -> int:
    disk = Disk()
    own = tuple(url.strip() for url in options.initial_advertise_peer_urls.split(",") if url.strip())
    initial = parse_initial_cluster(options.initial_cluster) or {options.name: own or ALONE}
    if own and set(initial.get(options.name, ())) != set(own):
        raise CommandError(
            f"--initial-cluster does not give {options.name!r} the URLs of --initial-advertise-peer-urls"
        )
    token = options.initial_cluster_token
    if not token:
        # Ids follow from URLs and token: with an old one, members of the old cluster would take this for theirs.
        if len(initial) > 1:
            raise CommandError("--initial-cluster-token is needed: a new one, the same for each member")
        token = secrets.token_hex(8)
    head = restore_member(
        disk,
        open_export(disk, options.file, check_hash=not options.skip_hash_check),
        options.data_dir,
        options.name,
        initial,
        token,
        bump_revision=options.bump_revision,
    )
    print(
        f"Member {options.name} ({head.member_id:x}) of the new cluster {head.cluster_id:x} restored "
        f"to {options.data_dir}, revision {head.revision}"
    )
    return 0


def _status(options: argparse.Namespace) -> int:
    disk = Disk()
    reader = open_export(disk, options.file, check_hash=not options.skip_hash_check)
    summary = describe_file(disk, options.file, reader)
    print(json.dumps(asdict(summary)) if options.output == "json" else _as_text(summary))
    return 0


def _as_text(summary: Summary) -> str:
    lines = {
        "hash": f"{summary.hash:x}",
        "revision": summary.revision,
        "compacted revision": summary.compact_revision,
        "keys": summary.keys,
        "leases": summary.leases,
        "size": f"{summary.size} bytes",
        "saved from": f"member {summary.member_id:x} of cluster {summary.cluster_id:x}",
        "log entry": f"{summary.index} of term {summary.term}",
    }
    return "\n".join(f"{name + ':':<20}{value}" for name, value in lines.items())
