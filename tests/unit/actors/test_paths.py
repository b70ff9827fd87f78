"""What `down --delete-data` deletes on a machine."""

from pathlib import Path

from kubeactors.actors.paths import Paths


def fill(paths: Paths) -> None:
    for file in (paths.store_data / "wal", paths.pki / "ca.key", paths.run / "a.pid", paths.log / "a.log"):
        file.parent.mkdir(parents=True)
        file.touch()


def test_everything_goes(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    fill(paths)
    paths.delete_but_ray()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not paths.lib.exists()
    paths.delete()


def test_a_running_ray_keeps_what_it_needs(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    fill(paths)
    paths.ray_storage.mkdir()
    kept = {paths.ray_pid, paths.ray_storage / "CURRENT"}
    for file in kept:
        file.touch()
    paths.delete_but_ray()
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == kept
    paths.delete()
    assert not paths.lib.exists()
