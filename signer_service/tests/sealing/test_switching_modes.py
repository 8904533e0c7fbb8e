"""An outlet goes over from one DGI mode to the other while it sells: no gap in the numbers, no document left behind."""

from ..support.processes import wait_until
from ..support.stand import Stand, document


def test_mode_is_switched_while_the_outlet_sells(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    answers = []
    for mode in ("deferred", "inline", "deferred"):
        stand.change_outlet(outlet, dgi_mode=mode)
        wait_until(lambda: _mode(stand, outlet.id) == mode, f"the service knows of {mode}")  # noqa: B023
        answers += [stand.post(document(outlet)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201] * 9
    told = [answer.json() for answer in answers]
    assert [one["dgi"]["mode"] for one in told] == ["deferred"] * 3 + ["inline"] * 3 + ["deferred"] * 3
    assert {one["dgi"]["status"] for one in told[3:6]} == {"certified"}
    assert [int(one["fiscal_number"][-9:]) for one in told] == list(range(1, 10))
    wait_until(lambda: stand.settled(outlet), "what was sealed in deferred mode is certified too", 60)
    stand.assert_sound(outlet, 9)


def _mode(stand: Stand, outlet_id: str) -> str:
    return stand.get(f"/api/v1/outlets/{outlet_id}").json()["dgi"]["mode"]
