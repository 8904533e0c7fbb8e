"""One stage for all worlds of a module."""

from collections.abc import Iterator

import pytest

from ..support.databases import throw_away_database
from .stage import Stage


@pytest.fixture(scope="module")
def stage(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with throw_away_database(cluster) as database, Stage(database, tmp_path_factory.mktemp("heads")) as stage:
        yield stage
