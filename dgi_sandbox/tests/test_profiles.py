"""Named sets of faults: each one can be set, strikes as its title says and ends with `normal`."""

import httpx
import pytest

from .sandbox import NIM, SECOND_NIM, Client, Sandbox, sale
from .test_faults_by_nim_and_step import lost


def choose(service: Sandbox, name: str, **limits: object) -> dict[str, object]:
    with service.admin as admin:
        return admin.post("/profile", json={"name": name, **limits}).raise_for_status().json()


def test_every_profile_can_be_set_and_left(service: Sandbox) -> None:
    with service.admin as admin:
        quiet = admin.get("/faults").json()
        profiles = admin.get("/profile").json()
    assert {"normal", "mauvaise-ligne", "panne", "jeton-expire", "changement-de-taux"} <= {p["name"] for p in profiles}
    for profile in profiles:
        assert (choose(service, profile["name"]) != quiet) is (profile["name"] != "normal"), profile
        assert choose(service, "normal") == quiet
        assert profile["title"]


def test_profile_takes_the_place_of_what_was_on(client: Client, service: Sandbox) -> None:
    service.faults(fail_next=5)
    service.faults(nim=NIM, duplicate_rn=5)
    choose(service, "changement-de-taux")
    assert client.submit(sale())["tb"] == 17


def test_profile_of_one_nim_leaves_the_others_and_their_faults(service: Sandbox) -> None:
    service.faults(nim=SECOND_NIM, status_next={"count": 1, "status": 418})
    choose(service, "panne", nim=NIM)
    with pytest.raises(httpx.TransportError):
        service.client().status()
    assert service.client(SECOND_NIM).http.get("/api/invoice").status_code == 418
    choose(service, "normal", nim=NIM)
    assert service.client().status()["status"] is True


def test_bad_line_repeats_with_its_seed(client: Client, service: Sandbox) -> None:
    runs = []
    for seed in (11, 11, 12):
        choose(service, "mauvaise-ligne", seed=seed)
        service.faults(latency_ms=0, latency_jitter_ms=1, lose_request_percent=30)
        runs.append(lost(client, 25))
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    "asked", [{}, {"name": "orage"}, {"name": "panne", "nim": "CD0"}, {"name": "panne", "seed": "x"}, {"nom": "panne"}]
)
def test_unknown_profile_changes_nothing(service: Sandbox, asked: dict[str, str]) -> None:
    service.faults(fail_next=4)
    with service.admin as admin:
        before = admin.get("/faults").json()
        assert admin.post("/profile", json=asked).status_code == 400
        assert admin.get("/faults").json() == before
