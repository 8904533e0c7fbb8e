"""The part of the addon that knows nothing of Odoo: arithmetic, payload, transport, retries, secrets."""
