import os
from pathlib import Path

from odoo import api, fields, models
from odoo.tools import config

from ..core import secret


class BonopayCredential(models.Model):
    """The signer's API key of a company, encrypted.

    No group has any right on this model: the key goes in through :meth:`res.company.bonopay_configure` or the
    settings, and comes out only inside the connection to the signer (:func:`reveal`).
    """

    _name = "bonopay.credential"
    _description = "Signer credential"
    _log_access = False

    company_id = fields.Many2one("res.company", required=True, ondelete="cascade")
    ciphertext = fields.Text(required=True)

    _company_unique = models.Constraint("UNIQUE(company_id)", "One key per company.")

    @api.model
    def _key_path(self):
        """The key file: named by the server's configuration or environment, else in its data directory, which is
        neither in the database nor in the filestore, so that no dump carries key and ciphertext together."""
        named = config.get("bonopay_secret_key_file") or os.environ.get("BONOPAY_SECRET_KEY_FILE")
        return (Path(named), False) if named else (Path(config["data_dir"]) / "bonopay" / "secret.key", True)

    @api.model
    def _purpose(self, company):
        """What a ciphertext is bound to: its owner, and the address that the key may be sent to."""
        return f"bonopay/signer-key/company/{company.id}/{company.sudo().bonopay_signer_url}"

    @api.model
    def _store(self, company, api_key):
        """Keep the API key of a company, or forget it when it is empty.

        :return: whether there was something to do
        :raises secret.SecretError: the key file cannot be used
        """
        found = self.sudo().search([("company_id", "=", company.id)])
        if not api_key:
            return bool(found) and found.unlink()
        path, create = self._key_path()
        ciphertext = secret.encrypt(secret.load_key(path, create), api_key, self._purpose(company))
        if found:
            found.ciphertext = ciphertext
        else:
            self.sudo().create({"company_id": company.id, "ciphertext": ciphertext})
        return True


def reveal(company):
    """The API key of a company, or ``None``. For the connection alone: never return it to a caller.

    A function, not a method: an administrator's server action or template reaches every method of a model.

    :raises secret.SecretError: key file or ciphertext unusable
    """
    credentials = company.env["bonopay.credential"].sudo()
    found = credentials.search([("company_id", "=", company.id)])
    if not found:
        return None
    path, _create = credentials._key_path()
    return secret.decrypt(secret.load_key(path), found.ciphertext, credentials._purpose(company))
