"""A second set of servers on the same machine (another checkout, another test run) does not disturb the first."""

import json
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

from launcher.instance import DEMO_MERCHANT, Instance, throwaway_instance

VECTORS = Path(__file__).parent / "vectors" / "payloads.json"


@pytest.fixture
def second(instance: Instance):
    second = throwaway_instance(instance.home)
    try:
        second.cluster.create()
        second.cluster.start()
        second.cluster.prepare_roles()
        second.prepare_trusted_side()
        yield second
    finally:
        second.remove()


def _seal(instance: Instance) -> dict:
    """Have the demo merchant's outlet of this instance seal the first published payload, as a new document."""
    payload = json.loads(VECTORS.read_text())["vectors"][0]["payload"]
    mine = {"merchant_nif": DEMO_MERCHANT["nif"], "outlet_id": DEMO_MERCHANT["outlet"]}
    body = json.dumps({**payload, **mine, "document_id": str(uuid.uuid4())}).encode()
    headers = {"Authorization": f"Bearer {instance.signer.api_key()}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{instance.signer.url}/api/v1/invoices", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_both_seal_with_their_own_key_and_series_and_one_ends_without_the_other(
    instance: Instance, second: Instance
) -> None:
    first_before = _seal(instance)
    of_second = _seal(second)
    first_after = _seal(instance)
    assert of_second["fiscal_number"].endswith("-000000001"), "a series of its own"
    assert of_second["key_id"] != first_before["key_id"], "a key of its own"
    assert first_after["ledger"]["index"] == first_before["ledger"]["index"] + 2, "certified entry, then this one"
    second.remove()
    assert _seal(instance)["ledger"]["index"] == first_after["ledger"]["index"] + 2
    assert not second.folder.exists()


def test_the_key_of_one_instance_opens_nothing_at_the_other(instance: Instance, second: Instance) -> None:
    outlet = f"{second.signer.url}/api/v1/outlets/{DEMO_MERCHANT['outlet']}"
    request = urllib.request.Request(outlet, headers={"Authorization": f"Bearer {instance.signer.api_key()}"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 401
