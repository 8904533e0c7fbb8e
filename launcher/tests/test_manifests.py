"""What Odoo reads of an addon's manifest."""

import ast
from pathlib import Path

import pytest

from launcher.config import ADDONS

VERSIONED = sorted(path.parent for path in ADDONS.glob("*/migrations") if (path.parent / "__manifest__.py").exists())


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@pytest.mark.parametrize("addon", VERSIONED, ids=lambda path: path.name)
def test_the_latest_migration_is_of_the_addon_s_version_or_before(addon: Path) -> None:
    """Odoo runs no script above the version of the manifest: it would be forgotten."""
    version = ast.literal_eval((addon / "__manifest__.py").read_text())["version"]
    latest = max((path.name for path in (addon / "migrations").iterdir() if path.is_dir()), key=_parts)
    assert _parts(latest) <= _parts(version)
