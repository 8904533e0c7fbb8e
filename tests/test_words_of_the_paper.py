"""The words that Odoo prints for a code are those of the signer's tables, which are the DGI's (SFE §1.12, annexes).

Neither side may import the other; both keep the words in files without a database or a server behind them.
"""

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest

from launcher.config import CHECKOUT

THIN_SPACE = "\u202f"


@pytest.fixture(scope="module")
def labels() -> Iterator[ModuleType]:
    with words_of_the_addon():
        yield importlib.import_module("paper_words.report.invoice_labels")


@pytest.fixture(scope="module")
def payments(labels: ModuleType) -> ModuleType:
    return importlib.import_module("paper_words.core.payments")


@contextmanager
def words_of_the_addon() -> Iterator[None]:
    """Its files under a package of our own: importing the addon itself would import Odoo."""
    addon = CHECKOUT / "addons" / "bonopay_fiscal"
    folders = {"paper_words": addon, "paper_words.core": addon / "core", "paper_words.report": addon / "report"}
    for name, folder in folders.items():
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    yield
    for name in [name for name in sys.modules if name.startswith("paper_words")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def tables() -> Iterator[ModuleType]:
    sys.path.insert(0, str(CHECKOUT / "signer_service"))
    yield importlib.import_module("bonopay_signer.fiscal.tables")
    sys.path.remove(str(CHECKOUT / "signer_service"))


def test_sfe_1_12_tax_groups_of_all_times(labels: ModuleType, tables: ModuleType) -> None:
    for group in tables.TAX_GROUPS.rows:
        printed = labels.tax_group(group.code, str(group.rate)).replace(f"{THIN_SPACE}%", "%")
        assert printed == group.label_fr.format(rate=group.rate)


def test_annex_1_client_types(labels: ModuleType, tables: ModuleType) -> None:
    for client in tables.CLIENT_TYPES.rows:
        assert f"[{client.code}] {labels.CLIENT_TYPES[client.code]}" == client.mention


def test_sfe_1_18_payment_methods(payments: ModuleType, tables: ModuleType) -> None:
    assert {row.code: row.mention for row in tables.PAYMENT_METHODS.rows} == payments.METHODS


def test_annex_3_natures_of_a_credit_note(labels: ModuleType, tables: ModuleType) -> None:
    for nature in tables.CREDIT_NATURES.rows:
        assert labels.CREDIT_NATURES[nature.code].startswith(nature.mention)
