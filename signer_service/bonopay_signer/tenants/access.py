"""Who asks: the API key of a request and what it covers."""

from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request

from bonopay_signer.api.problems import Problem
from bonopay_signer.tenants import apikeys
from bonopay_signer.tenants.apikeys import OPERATIONS, ApiKey
from bonopay_signer.tenants.rows import Outlet, find_api_key, find_outlet


async def authenticate(request: Request, pool: AsyncConnectionPool) -> ApiKey:
    """The request's key. Raises Problem ``unauthorized``, the same whatever is wrong with it."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    parts = apikeys.split(credentials.strip()) if scheme.lower() == "bearer" else None
    if parts is None:
        raise Problem("unauthorized")
    prefix, secret = parts
    async with pool.connection() as connection:
        stored = await find_api_key(connection, prefix)
    if not apikeys.matches(stored, secret) or stored is None or not stored.is_current():
        raise Problem("unauthorized")
    return stored


async def outlet_to_seal(key: ApiKey, merchant_nif: str, outlet_id: str, pool: AsyncConnectionPool) -> Outlet:
    """The outlet of a payload. Raises Problem ``forbidden``: unknown and foreign outlets look the same."""
    async with pool.connection() as connection:
        outlet = await find_outlet(connection, outlet_id)
    if outlet is None or outlet.merchant_nif != merchant_nif or not key.covers(merchant_nif, outlet_id, apikeys.SEAL):
        raise Problem("forbidden")
    return outlet


async def outlet_to_see(key: ApiKey, outlet_id: str, pool: AsyncConnectionPool) -> Outlet:
    """An outlet that the key covers for any operation. Raises Problem ``not_found``."""
    async with pool.connection() as connection:
        outlet = await find_outlet(connection, outlet_id)
    if outlet is None or not any(key.covers(outlet.merchant_nif, outlet_id, operation) for operation in OPERATIONS):
        raise Problem("not_found")
    return outlet
