"""A second set of servers on the same machine (another checkout, another test run) does not disturb the first."""

import urllib.error
from collections.abc import Iterator

import pytest

from launcher.instance import Instance, throwaway_instance
from tests.signer_api import OUTLET, SignerApi, demo_payload


@pytest.fixture(scope="module")
def second(instance: Instance) -> Iterator[Instance]:
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
    return SignerApi.of(instance).seal(demo_payload())


def test_the_key_of_one_instance_opens_nothing_at_the_other(instance: Instance, second: Instance) -> None:
    stranger = SignerApi(second.signer.url, instance.signer.api_key())
    with pytest.raises(urllib.error.HTTPError) as caught:
        stranger.get(f"/api/v1/outlets/{OUTLET}")
    assert caught.value.code == 401


# the last: it removes the second instance
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
