"""Two instances on one machine: own folder, own ports, own cluster; removing one leaves the other as it was."""

from pathlib import Path

import pytest

from launcher.config import HOST, Home, Ports
from launcher.instance import free_ports, throwaway_instance
from launcher.postgres import Cluster


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def cluster(tmp_path: Path):
    cluster = Cluster(tmp_path / "one", free_ports(1)[0], tmp_path / "log" / "one.log")
    cluster.create()
    cluster.start()
    yield cluster
    cluster.remove()


def test_folders_and_ports_differ(home: Home) -> None:
    one, two = throwaway_instance(home), throwaway_instance(home)
    assert one.folder != two.folder
    assert not set(vars(one.ports).values()) & set(vars(two.ports).values())


def test_second_cluster_and_its_removal_leave_the_first_alone(cluster: Cluster, tmp_path: Path) -> None:
    cluster.prepare_roles()
    cluster.create_database("kept", "odoo")
    other = Cluster(tmp_path / "two", free_ports(1)[0], tmp_path / "log" / "two.log")
    other.create()
    other.start()
    assert not other.has_database("kept")
    other.remove()
    assert cluster.is_running() and cluster.has_database("kept")
    assert not other.folder.exists()


def test_cluster_is_durable_checked_and_closed_to_strangers(cluster: Cluster) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert cluster.query(f"SHOW {setting}") == "on", setting
    assert cluster.query("SHOW listen_addresses") == HOST
    methods = cluster.query("SELECT DISTINCT auth_method FROM pg_hba_file_rules")
    assert methods == "scram-sha-256"


def test_cluster_starts_under_a_folder_that_only_its_owner_may_pass(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    cluster = Cluster(private / "pg", free_ports(1)[0], private / "log" / "pg.log")
    try:
        cluster.create()
        cluster.start()
        assert cluster.query("SELECT 1") == "1"
    finally:
        cluster.remove()


def test_every_port_can_be_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in vars(Ports()):
        monkeypatch.setenv(f"BONOPAY_{name.upper()}_PORT", "23456")
    assert set(vars(Ports()).values()) == {23456}


def test_an_instance_that_was_never_prepared_is_removed_without_a_trace(home: Home) -> None:
    instance = throwaway_instance(home)
    instance.remove()
    assert not instance.folder.exists()
