"""The drivers of the outlets' devices.

An e-MCF's is made for each use, with its token decrypted for that time. An MCF's lives as long as the service, however
often its outlet's row is read: the device holds one open invoice, and the driver knows which.
"""

from typing import Protocol

import httpx

from bonopay_signer.dgi.device import Device, Unreachable
from bonopay_signer.dgi.emcf import EmcfDevice, TokenScheme
from bonopay_signer.dgi.journal import Journal
from bonopay_signer.dgi.mcf.device import McfDevice
from bonopay_signer.dgi.mcf.link import Link, LinkSettings
from bonopay_signer.tenants.rows import REMOVED, Mcf, Outlet
from bonopay_signer.tenants.secrets import SecretBox

_Key = tuple[str, str]


class DeviceOf(Protocol):
    def __call__(self, outlet: Outlet, mcf: str | None = None) -> Device:
        """The outlet's MCF of this NIM, or its e-MCF. Raises SecretsError when the e-MCF's token does not decrypt,
        Unreachable for an MCF that is not where its outlet's row says."""


class Devices:
    def __init__(
        self,
        client: httpx.AsyncClient,
        box: SecretBox,
        journal: Journal,
        scheme: TokenScheme = "bearer",
        mcf_answer_timeout: float = 2.0,
    ) -> None:
        self._client = client
        self._box = box
        self._journal = journal
        self._scheme = scheme
        self._mcf_answer_timeout = mcf_answer_timeout
        self._mcfs: dict[_Key, tuple[Link, McfDevice]] = {}
        self._at_port: dict[str, _Key] = {}

    def __call__(self, outlet: Outlet, mcf: str | None = None) -> Device:
        if mcf is not None:
            return self.mcf(outlet, mcf)
        token = self._box.decrypt(outlet.id, outlet.dgi_token)
        return EmcfDevice(self._client, outlet.dgi_url, token, outlet.id, self._journal, self._scheme)

    def mcf(self, outlet: Outlet, nim: str) -> McfDevice:
        """The one driver of an MCF, with its port as the outlet's row has it now. Raises Unreachable."""
        row, key = outlet.mcf(nim), (outlet.id, nim)
        self._take_port(row, key)
        settings = LinkSettings(
            row.port, row.baud_rate, row.data_bits, row.parity, row.stop_bits, self._mcf_answer_timeout
        )
        if key not in self._mcfs:
            link = Link(settings)
            self._mcfs[key] = link, McfDevice(link, outlet.id, self._journal, nim=nim)
        link, device = self._mcfs[key]
        link.configure(settings)
        return device

    def close(self) -> None:
        """Let go of all ports."""
        for link, _device in self._mcfs.values():
            link.let_go()

    def _take_port(self, row: Mcf, key: _Key) -> None:
        """One MCF speaks at a port: where one took the place of another that was removed, the new one."""
        holder = self._at_port.get(row.port)
        if holder not in (None, key):
            if row.role == REMOVED:
                words = f"the MCF {row.nim} was removed and {row.port} is another's; connect it and register its port"
                raise Unreachable(words)
            self._mcfs[holder][0].let_go()
        self._at_port = {port: user for port, user in self._at_port.items() if user != key} | {row.port: key}
