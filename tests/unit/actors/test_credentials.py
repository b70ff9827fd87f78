"""Where a kubeconfig leads: on a machine of the cluster to its forwarder, elsewhere to the masters."""

from pathlib import Path

from kubeactors.actors.config import ClusterConfig
from kubeactors.actors.credentials import kubeconfig_for_elsewhere, write_credentials
from kubeactors.actors.machines import Machine
from kubeactors.actors.paths import Paths
from kubeactors.actors.state import ClusterState
from kubeactors.client.kubeconfig import load_kubeconfig


def test_the_kubeconfig_for_elsewhere_names_the_masters(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    machines = [Machine(f"10.0.0.{number}", f"m{number}") for number in (1, 2, 3)]
    write_credentials(ClusterConfig(), paths, machines[0])
    state = ClusterState.found(machines[0], 3, "").with_machines(machines).with_masters(machines)
    (tmp_path / "elsewhere.conf").write_bytes(kubeconfig_for_elsewhere(ClusterConfig(), paths, state))
    assert load_kubeconfig(tmp_path / "elsewhere.conf").endpoints == ("https://10.0.0.1:6443",)
    third = load_kubeconfig(tmp_path / "elsewhere.conf", "kubernetes-admin@kubeactors-m3")
    assert third.endpoints == ("https://10.0.0.3:6443",)
    # On the machine itself it is the forwarder, whichever master is away.
    assert load_kubeconfig(paths.kubeconfig).endpoints == ("https://127.0.0.1:6445",)
