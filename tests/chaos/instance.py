"""An instance whose PostgreSQL writes its log in small segments, so that a small disk holds it and a full one shows."""

from functools import cached_property
from pathlib import Path

from launcher.instance import Instance
from launcher.postgres import Cluster

_WAL = "max_wal_size = 48MB\nmin_wal_size = 4MB\n"


class SmallCluster(Cluster):
    def create(self) -> None:
        super().create()
        self._run("pg_resetwal", "--wal-segsize", "1", "--pgdata", self.data)
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(_WAL)

    def own(self, folder: Path) -> None:
        """Give a folder to whom PostgreSQL runs as."""
        self._own(folder)


class ChaosInstance(Instance):
    @cached_property
    def cluster(self) -> SmallCluster:
        return SmallCluster(self.folder / "postgres", self.ports.postgres, self.folder / "log" / "postgres.log")
