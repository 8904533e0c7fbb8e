import re

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..core import told
from ..core.connection import SignerError
from ..core.provinces import time_zone

_COORDINATES = re.compile(r"\s*([+-]?\d{1,3}(?:\.\d+)?)\s*[,;]\s*([+-]?\d{1,3}(?:\.\d+)?)\s*")
#: Hours after which the signer is asked again for NIM, ISF and mode.
_IDENTITY_HOURS = 1
_LONGEST_IDENTITY = 200


class BonopayOutlet(models.Model):
    """A point of sale in the eyes of the DGI: one address, one device (NIM), one uninterrupted series of numbers."""

    _name = "bonopay.outlet"
    _description = "Fiscal outlet"
    _inherit = ["bonopay.guarded", "mail.thread", "mail.activity.mixin"]
    _order = "company_id, code"
    _rec_names_search = ["code", "name"]
    _check_company_auto = True

    name = fields.Char(required=True)
    code = fields.Char(
        required=True,
        copy=False,
        tracking=True,
        help="Identifier registered with the signer. It is part of every fiscal number.",
    )
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company, ondelete="restrict"
    )
    active = fields.Boolean(default=True, tracking=True)
    # followed: the DGI is told in writing of every relocation (arrêté 033, art. 7 b)
    street = fields.Char(tracking=True)
    street2 = fields.Char(tracking=True)
    city = fields.Char(tracking=True)
    country_id = fields.Many2one(related="company_id.country_id")
    state_id = fields.Many2one(
        "res.country.state", "Province", domain="[('country_id', '=', country_id)]", tracking=True
    )
    province = fields.Char("Province (text)", help="For databases without the list of provinces.")
    phone = fields.Char()
    email = fields.Char()
    tz = fields.Selection(
        [("Africa/Kinshasa", "Kinshasa (UTC+1)"), ("Africa/Lubumbashi", "Lubumbashi (UTC+2)")],
        "Time zone",
        required=True,
        compute="_compute_tz",
        store=True,
        readonly=False,
        precompute=True,
        help="That of its province, unless you choose another. Dates and times on documents are those of the outlet.",
    )
    latitude = fields.Float(digits=(10, 7), tracking=True)
    longitude = fields.Float(digits=(10, 7), tracking=True)
    coordinates = fields.Char(
        compute="_compute_coordinates",
        inverse="_inverse_coordinates",
        help="Latitude and longitude in degrees, as a map gives them.",
    )
    price_mode = fields.Selection(
        [("ht", "Tax excluded (HT)"), ("ttc", "Tax included (TTC)")],
        required=True,
        default="ht",
        tracking=True,
        help="What unit prices mean on the invoices of this outlet, one mode for a whole invoice (SFE §1.5.3).",
    )
    # only they read journals: to a fleet manager the whole outlet would be closed
    journal_ids = fields.One2many(
        "account.journal",
        "bonopay_outlet_id",
        "Sales journals",
        groups="account.group_account_invoice,account.group_account_readonly",
    )
    nim = fields.Char(
        "DEF NID (NIM)",
        readonly=True,
        copy=False,
        guarded=True,
        tracking=True,
        help="Serial number of the outlet's fiscal device.",
    )
    isf = fields.Char(
        "ISF",
        readonly=True,
        copy=False,
        guarded=True,
        tracking=True,
        help="Identifier of the homologated invoicing system.",
    )
    dgi_mode = fields.Selection(
        [("inline", "Normalised before delivery"), ("deferred", "Delivered, then normalised")],
        "DGI mode",
        readonly=True,
        copy=False,
        guarded=True,
        tracking=True,
    )
    synced_at = fields.Datetime("Read from the signer on", readonly=True, copy=False, guarded=True)
    used = fields.Boolean(compute="_compute_used", help="At least one document was issued under this code.")

    _code_company_unique = models.Constraint("UNIQUE(company_id, code)", "This outlet code exists already.")
    _code_form = models.Constraint(
        "CHECK(code ~ '^[A-Z0-9]{3,12}$')", "An outlet code is made of 3 to 12 capital letters and digits."
    )
    _place = models.Constraint(
        "CHECK(latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180)",
        "A latitude lies between -90 and 90 degrees, a longitude between -180 and 180.",
    )

    @api.depends("state_id")
    def _compute_tz(self):
        for outlet in self:
            outlet.tz = time_zone(outlet.state_id.code) or outlet.tz or "Africa/Kinshasa"

    @api.depends("latitude", "longitude")
    def _compute_coordinates(self):
        for outlet in self:
            place = outlet.latitude, outlet.longitude
            # the middle of the ocean means that nobody said where
            outlet.coordinates = ", ".join(f"{degrees:.7f}".rstrip("0").rstrip(".") for degrees in place) * any(place)

    def _inverse_coordinates(self):
        for outlet in self:
            found = _COORDINATES.fullmatch(outlet.coordinates or "0, 0")
            if not found:
                raise UserError(
                    self.env._(
                        "Coordinates “%s” are not understood: write latitude and longitude in degrees, such as "
                        "-4.3224, 15.3070.",
                        outlet.coordinates,
                    )
                )
            outlet.latitude, outlet.longitude = map(float, found.groups())

    def _compute_used(self):
        used = self._used_ones()
        for outlet in self:
            outlet.used = outlet._origin in used

    def _used_ones(self):
        """Those under which a document was issued, as the database knows it now."""
        return self._used_in([])

    def _used_in_earnest(self):
        """Those under which a document with fiscal value was issued."""
        return self._used_in([("test_mode", "=", False)])

    def _used_in(self, domain):
        domain = [("outlet_id", "in", self._origin.ids), *domain]
        groups = self.env["bonopay.seal"].sudo()._read_group(domain, ["outlet_id"])
        return self.browse(outlet.id for (outlet,) in groups)

    @api.private
    @api.model
    def _choose_provinces(self):
        """The province that an outlet has as text, from the list; a text that is none stays."""
        for outlet in self.with_context(active_test=False).search(
            [("state_id", "=", False), ("province", "!=", False)]
        ):
            zone = outlet.tz
            outlet.state_id = self.env["res.country.state"]._bonopay_find_province(outlet.province)
            outlet.tz = zone  # which somebody may have chosen, and which documents were printed in

    @api.depends("name", "code")
    def _compute_display_name(self):
        for outlet in self:
            outlet.display_name = f"[{outlet.code}] {outlet.name}" if outlet.code else outlet.name

    @api.model_create_multi
    def create(self, vals_list):
        links = [vals.get("journal_ids") for vals in vals_list]
        outlets = super().create([{k: v for k, v in vals.items() if k != "journal_ids"} for vals in vals_list])
        for outlet, commands in zip(outlets, links, strict=True):
            outlet._link_journals(commands)
        return outlets

    def write(self, vals):
        for field in {"code", "company_id"} & vals.keys():
            if any(outlet[field] != self._as_value(field, vals) for outlet in self._used_ones()):
                raise UserError(
                    self.env._(
                        "The code and the company of an outlet are part of the fiscal numbers already given. "
                        "Archive this outlet and create another one."
                    )
                )
        res = super().write({k: v for k, v in vals.items() if k != "journal_ids"})
        for outlet in self:
            outlet._link_journals(vals.get("journal_ids"))
        return res

    def _link_journals(self, commands):
        """Choose the journals of this outlet: a fiscal manager may, without the right to change journals otherwise."""
        if not commands:
            return
        self.check_access("write")
        outlet = self.new({"journal_ids": commands}, origin=self)
        chosen = outlet.journal_ids._origin
        if foreign := chosen.sudo().filtered(lambda journal: journal.company_id != self.company_id):
            raise UserError(self.env._("Journal “%s” belongs to another company.", foreign[0].name))
        journals = self.sudo().journal_ids
        (journals - chosen).bonopay_outlet_id = False
        (chosen.sudo() - journals).bonopay_outlet_id = self.id

    def _as_value(self, field, vals):
        return self.env["res.company"].browse(vals[field]) if field == "company_id" else vals[field]

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        if self._used_ones():
            raise UserError(self.env._("Documents were issued under this outlet: archive it instead of deleting it."))

    def _read_from_signer(self, answer):
        """Take over what the signer knows of this outlet; what it does not tell stays, what changes is on record.

        :param dict answer: of ``GET /api/v1/outlets/{outlet_id}``, or an item of the list (contracts §5)
        """
        self.ensure_one()
        dgi = answer.get("dgi")
        dgi = dgi if isinstance(dgi, dict) else {}
        mode = dgi.get("mode") or answer.get("dgi_mode")
        texts = {name: told.text(answer.get(name), _LONGEST_IDENTITY) for name in ("nim", "isf")}
        values = {**texts, "dgi_mode": mode if mode in ("inline", "deferred") else None}
        changed = {name: value for name, value in values.items() if value and value != self[name]}
        followed = self.sudo().with_context(tracking_disable=False) if self.nim or self.isf else self.sudo()
        followed.write({**changed, "synced_at": fields.Datetime.now()})

    def _ask_identities(self, connection):
        """What the signer's list says of the outlets, when one of these was not read for a while.

        :return: code → item of ``GET /api/v1/outlets``; nothing when it is not told, which keeps nobody from the status
        """
        due = fields.Datetime.subtract(fields.Datetime.now(), hours=_IDENTITY_HOURS)
        if all(outlet.synced_at and outlet.synced_at > due for outlet in self):
            return {}
        try:
            items = connection.outlets()
        except SignerError:
            return {}
        return {item["outlet_id"]: item for item in items if isinstance(item.get("outlet_id"), str)}
