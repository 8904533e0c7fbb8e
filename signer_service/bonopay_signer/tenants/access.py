"""Who asks: the API key of a request and what it covers. Answered from memory (tenants/registry.py)."""

from bonopay_signer.api.problems import Problem
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.tenants import apikeys
from bonopay_signer.tenants.apikeys import OPERATIONS, ApiKey
from bonopay_signer.tenants.limits import RateLimits
from bonopay_signer.tenants.registry import Registry
from bonopay_signer.tenants.rows import Outlet
from bonopay_signer.tenants.usage import KeyUsage


class Access:
    def __init__(self, registry: Registry, limits: RateLimits, usage: KeyUsage) -> None:
        self._registry = registry
        self._limits = limits
        self._usage = usage

    async def authenticate(self, authorization: str | None) -> ApiKey:
        """The key that an ``Authorization`` header holds.

        Raises Problem ``unauthorized``, the same whatever is wrong with it, or ``rate_limited``.
        """
        scheme, _, credentials = (authorization or "").partition(" ")
        parts = apikeys.split(credentials.strip()) if scheme.lower() == "bearer" else None
        if parts is None:
            raise Problem("unauthorized")
        prefix, secret = parts
        stored = await self._registry.api_key(prefix)
        if not apikeys.matches(stored, secret) or stored is None or not stored.is_current():
            raise Problem("unauthorized")
        self._limits.take_of_key(stored)
        self._usage.note(prefix)
        return stored

    def charge(self, key: ApiKey, cost: int) -> None:
        """What a request counts beyond its authentication, when its body tells: later requests wait for it."""
        self._limits.charge_key(key, cost)

    async def outlet_to_seal(self, key: ApiKey, invoice: Invoice) -> Outlet:
        """The outlet of a payload. Raises Problem ``rate_limited``, or ``forbidden``: unknown and foreign outlets look
        the same."""
        outlet = await self._registry.outlet(invoice.outlet_id)
        if (
            outlet is None
            or outlet.merchant_nif != invoice.merchant_nif
            or not key.covers(invoice.merchant_nif, outlet.id, apikeys.SEAL)
        ):
            raise Problem("forbidden")
        if not key.covers_terminal(invoice.pos_terminal_id):
            raise Problem("forbidden", "the key is for other terminals")
        self._limits.take_of_outlet(outlet.id)
        return outlet

    async def outlet_to_see(self, key: ApiKey, outlet_id: str) -> Outlet:
        """An outlet that the key covers for any operation. Raises Problem ``not_found``."""
        outlet = await self._registry.outlet(outlet_id)
        if outlet is None or not any(key.covers(outlet.merchant_nif, outlet_id, operation) for operation in OPERATIONS):
            raise Problem("not_found")
        return outlet

    async def outlet_to_send(self, key: ApiKey, outlet_id: str) -> Outlet:
        """An outlet whose sending the key may start again. Raises Problem ``not_found``, ``forbidden`` for a key that
        only reads there, ``rate_limited``."""
        outlet = await self.outlet_to_see(key, outlet_id)
        if not key.covers(outlet.merchant_nif, outlet.id, apikeys.SEAL):
            raise Problem("forbidden")
        self._limits.take_of_outlet(outlet.id)
        return outlet


def objection(outlet: Outlet, invoice: Invoice) -> str | None:
    """Why a document is not sealed at its outlet any more, or not yet. What was sealed is answered all the same."""
    terminal = invoice.pos_terminal_id
    if outlet.revoked_at is not None:
        return f"outlet {outlet.id} is closed"
    if not outlet.admits_terminal(terminal):
        return f"terminal {terminal} is not, or no longer, registered at outlet {outlet.id}"
    if not outlet.admits_user(invoice.cashier_id, invoice.cashier_name, invoice.issued_at):
        return f"user {invoice.cashier_id} is not, or no longer, registered at outlet {outlet.id} under this name"
    return None
