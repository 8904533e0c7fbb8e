"""The fiscal device of an outlet, with its token decrypted for the time of use."""

from collections.abc import Callable

import httpx

from bonopay_signer.dgi.device import Device
from bonopay_signer.dgi.emcf import EmcfDevice, TokenScheme
from bonopay_signer.dgi.journal import Journal
from bonopay_signer.tenants.rows import Outlet
from bonopay_signer.tenants.secrets import SecretBox

DeviceOf = Callable[[Outlet], Device]


def emcf_devices(
    client: httpx.AsyncClient, box: SecretBox, journal: Journal, scheme: TokenScheme = "bearer"
) -> DeviceOf:
    """A factory of e-MCF devices; it raises SecretsError when an outlet's token does not decrypt."""

    def device_of(outlet: Outlet) -> Device:
        token = box.decrypt(outlet.id, outlet.dgi_token)
        return EmcfDevice(client, outlet.dgi_url, token, outlet.id, journal, scheme)

    return device_of
