"""One driver for an MCF as long as the service lives: the device holds one open invoice, and the driver knows which."""

from dataclasses import replace

import pytest

from bonopay_signer.dgi.device import Unreachable
from bonopay_signer.sealing.devices import Devices
from bonopay_signer.tenants.rows import Mcf, Outlet

OUTLET = Outlet("KIN001", "A1234567B", "V", "Kin", "1 av.", "CD01", "ISF-1", "inline", "http://dgi", b"")


@pytest.fixture
def devices() -> Devices:
    return Devices(None, None, None)  # type: ignore[arg-type]  # an MCF's driver needs neither


def outlet(*mcfs: Mcf, id: str = "KIN001") -> Outlet:
    return replace(OUTLET, id=id, mcfs=mcfs)


def test_driver_stays_the_same_however_often_the_row_is_read_and_whatever_its_port_is(devices: Devices) -> None:
    first = devices(outlet(Mcf("M1", "spare", "/dev/a")), "M1")
    assert devices(outlet(Mcf("M1", "main", "/dev/a")), "M1") is first
    moved = devices(outlet(Mcf("M1", "main", "/dev/b", 9600)), "M1")
    assert moved is first and "/dev/b" in repr(moved)


def test_mcfs_have_drivers_of_their_own(devices: Devices) -> None:
    here = devices(outlet(Mcf("M1", "spare", "/dev/a")), "M1")
    assert devices(outlet(Mcf("M2", "spare", "/dev/b"), id="KIN002"), "M2") is not here


def test_removed_mcf_is_asked_at_its_port_until_another_is_there(devices: Devices) -> None:
    gone = Mcf("M1", "removed", "/dev/a")
    old = devices(outlet(gone), "M1")
    new = devices(outlet(gone, Mcf("M2", "spare", "/dev/a")), "M2")
    assert new is not old
    with pytest.raises(Unreachable, match="M1 was removed"):
        devices(outlet(gone, Mcf("M2", "spare", "/dev/a")), "M1")
    assert devices(outlet(gone, Mcf("M2", "spare", "/dev/b")), "M2") is new
    assert devices(outlet(gone, Mcf("M2", "spare", "/dev/b")), "M1") is old, "its port is free again"


@pytest.mark.parametrize(
    ("mcfs", "expected"),
    [
        ((), (None,)),
        ((Mcf("M1", "spare", "/dev/a"),), (None, "M1")),
        ((Mcf("M1", "main", "/dev/a"),), ("M1", None)),
        ((Mcf("M1", "removed", "/dev/a"),), (None,)),
        ((Mcf("M1", "removed", "/dev/a"), Mcf("M2", "main", "/dev/a")), ("M2", None)),
    ],
)
def test_main_device_comes_first_and_what_was_removed_not_at_all(mcfs: tuple[Mcf, ...], expected: tuple) -> None:
    assert outlet(*mcfs).devices == expected
