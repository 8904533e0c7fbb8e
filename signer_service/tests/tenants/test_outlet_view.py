"""What "Test connection" shows."""

from pathlib import Path

from ..support.stand import Stand


def test_outlet_with_its_device_and_head(stand: Stand) -> None:
    outlet = stand.outlet()
    answer = stand.sealed(outlet)
    view = stand.get(f"/api/v1/outlets/{outlet.id}").json()
    assert (view["outlet_id"], view["nif"], view["nim"], view["isf"]) == (
        outlet.id,
        outlet.nif,
        outlet.nim,
        "ABC-DEF-01",
    )
    assert view["dgi"]["mode"] == "inline" and view["dgi"]["state"] == "ready"
    assert view["devices"] == [{"kind": "emcf", "role": "main", "nim": outlet.nim, "port": None}]
    assert view["head"]["index"] == 2 and view["head"]["entry_hash"] != answer["ledger"]["entry_hash"]


def test_device_that_is_away_is_said(stand: Stand) -> None:
    outlet = stand.outlet(dgi_url="http://127.0.0.1:9/edef")
    assert stand.get(f"/api/v1/outlets/{outlet.id}").json()["dgi"]["state"] == "unreachable"


def test_token_of_another_device_is_said(stand: Stand) -> None:
    outlet, other = stand.outlet(), stand.outlet()
    token = stand.sandbox.token(other.nim)
    done = stand.command("outlet", "set-dgi-token", "--id", outlet.id, "--dgi-token-file", "-", stdin=token)
    assert done.returncode == 0
    dgi = stand.get(f"/api/v1/outlets/{outlet.id}").json()["dgi"]
    assert dgi["state"] == "not_operational" and other.nim in dgi["detail"]


def test_devices_are_told_main_first_with_the_settings_of_the_port(stand: Stand) -> None:
    outlet = stand.outlet()
    nim, path = f"MCF-{outlet.id}", f"/dev/{outlet.id}"
    stand.set_mcf(outlet, nim, Path(path))
    emcf = {"kind": "emcf", "role": "main", "nim": outlet.nim, "port": None}
    port = {"path": path, "baud_rate": 115200, "data_bits": 8, "parity": "none", "stop_bits": 1}
    mcf = {"kind": "mcf", "role": "spare", "nim": nim, "port": port}
    view = stand.get(f"/api/v1/outlets/{outlet.id}").json()
    assert view["devices"] == [emcf, mcf] and view["dgi"]["state"] == "ready"
    stand.set_mcf(outlet, nim, Path(path), is_main=True)
    view = stand.get(f"/api/v1/outlets/{outlet.id}").json()
    assert view["devices"] == [{**mcf, "role": "main"}, {**emcf, "role": "spare"}]
    assert view["dgi"]["state"] == "unreachable" and path in view["dgi"]["detail"], "of the main device"
