from datetime import date
from decimal import Decimal
from typing import NamedTuple

from odoo import fields, models
from odoo.tools import format_date, plaintext2html

from ..core import dgi, payload, reference
from .bonopay_tax_rate_told import exact_rate

OWNER = "bonopay_fiscal.group_fiscal_owner"


class Finding(NamedTuple):
    """Something that an owner has to know of the DGI's tables.

    :ivar kind: ``rate`` (the DGI's rate is taken), ``kept`` (it is not: what was entered here stands), ``waiting`` (not
        before the signer's core judges by it), ``disputed``, ``withdrawn``, ``unknown`` or ``missing`` (a code that
        only the DGI, or only Odoo, has)
    :ivar rate: the DGI's, in percent
    :ivar ours: Odoo's rate of before, or that stands
    :ivar begins: first day of the rate in Odoo
    :ivar taxes: the company's taxes at another rate; ``prepared``: those that may replace them
    """

    kind: str
    table: str
    code: str
    rate: Decimal | None = None
    since: date | None = None
    ours: Decimal | None = None
    begins: date | None = None
    taxes: models.Model | None = None
    prepared: models.Model | None = None
    is_judged_otherwise: bool = False

    @property
    def key(self):
        """What it is about: it is told once for each value."""
        return " ".join(str(part) for part in (self.kind, self.table, self.code, self.rate, self.since))


class ResCompany(models.Model):
    """What an owner has to decide about the DGI's tables, and how they are called."""

    _inherit = "res.company"

    bonopay_reference_activity_id = fields.Many2one(
        "mail.activity", readonly=True, copy=False, ondelete="set null", groups="base.group_system"
    )

    def _bonopay_reference_differences(self, tables, today, taken):
        """Where Odoo or the taxes of this main company are not at what the DGI tells; taxes at new rates are prepared.

        :param reference.Tables tables: what the signer told
        :param taken: the rates that were new
        :return: a list of :class:`Finding`
        """
        theirs = tables.rows.get(reference.TAX_GROUPS, {})
        findings = [self._bonopay_group_finding(row, tables, today, taken) for row in theirs.values()]
        gone = self.env["bonopay.tax.group"]._rates_on(today).keys() - theirs.keys() if theirs else ()
        findings += [Finding("withdrawn", reference.TAX_GROUPS, letter) for letter in sorted(gone)]
        findings += [
            Finding("unknown" if since else "missing", table, code, since=since)
            for table, code, since in reference.code_differences(tables)
        ]
        disputed = [Finding("disputed", *one) for one in sorted(tables.disputed)]
        return [*filter(None, findings), *disputed]

    def _bonopay_group_finding(self, told, tables, today, taken):
        """The finding of one tax group, or ``None``."""
        if (reference.TAX_GROUPS, told.code) in tables.disputed:
            return None
        if told.code not in dgi.TAX_GROUPS:
            return Finding("unknown", reference.TAX_GROUPS, told.code, since=told.since)
        rows = self.env["bonopay.tax.rate"].search([("group_id.code", "=", told.code)], order="valid_from")
        now = rows.filtered(lambda row: row._holds_on(today))
        common = {"rate": told.rate, "since": told.since, "is_judged_otherwise": told.code in tables.judged_otherwise}
        same = rows.filtered(lambda row: exact_rate(row) == told.rate and (row == now or row.valid_from > today))[:1]
        if not same and (rows._stand_against(told) or not common["is_judged_otherwise"]):
            return Finding("kept", reference.TAX_GROUPS, told.code, ours=exact_rate(now), **common)
        taxes = self.env["account.tax"]._bonopay_of_other_rate(self, told.code, told.rate)
        if same and same == now and not taxes and same not in taken:
            return None
        return Finding(
            "rate" if same else "waiting", reference.TAX_GROUPS, told.code,
            ours=exact_rate(same._ended() if same else now), begins=same.valid_from,
            taxes=taxes, prepared=taxes._bonopay_prepare_surely(told.rate), **common,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------------------
    # Calling an owner
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_tell_owner(self, findings, is_new):
        """One activity of the main company: made for what is new, renewed, and ended when nothing is left.

        :param is_new: whether an owner who did the activity is called again
        """
        call = self.root_id.bonopay_reference_activity_id.filtered("active")
        reader = self.with_context(lang=call.user_id.lang)
        if call and findings:
            call.note = plaintext2html("\n".join(reader._bonopay_note_lines(findings)))
        elif call:
            call.action_feedback(feedback=reader.env._("Nothing of the DGI's tables is left to be decided."))
        elif is_new:
            self._bonopay_call_owner(findings)

    def _bonopay_call_owner(self, findings):
        """An activity on an outlet of the company whose signer was asked, for an owner to decide."""
        outlet = self.bonopay_outlet_ids.filtered(lambda one: one.active and not one.test_mode)[:1]
        user = self._bonopay_owner() or outlet._responsible() or self.env["account.move"]._bonopay_administrator()
        reader = self.with_context(lang=user.lang)
        self.root_id.bonopay_reference_activity_id = outlet.with_context(
            lang=user.lang, mail_notify_force_send=False
        ).activity_schedule(
            "mail.mail_activity_data_warning",
            user_id=user.id,
            summary=reader.env._("The DGI's tables: to be decided"),
            note=plaintext2html("\n".join(reader._bonopay_note_lines(findings))),
        )

    def _bonopay_owner(self):
        """The first of the owners of this company, the administrator last."""
        owners = self.env["res.users"].sudo().search(
            [
                ("all_group_ids", "in", self.env.ref(OWNER).ids),
                ("company_ids", "in", self.ids),
                ("share", "=", False),
            ],
            order="id",
        )  # fmt: skip
        admin = self.env.ref("base.user_admin", raise_if_not_found=False)
        return owners.sorted(lambda user: user == admin)[:1]

    def _bonopay_note_lines(self, findings):
        lines = [f"• {self._bonopay_finding_words(finding)}" for finding in findings]
        if any(finding.prepared for finding in findings if finding.kind == "rate"):
            lines.append(
                self.env._(
                    "Activate the prepared taxes under Invoicing ▸ Configuration ▸ Taxes, choose them on your "
                    "products, and archive the old ones."
                )
            )
        behind = ", ".join(
            finding.code for finding in findings if finding.is_judged_otherwise and finding.kind == "rate"
        )
        if behind:
            lines.append(
                self.env._(
                    "The signer's fiscal core still has other rates for: %s. Until its operator installs the version "
                    "that has them, documents of these groups may be refused.",
                    behind,
                )
            )
        return lines

    def _bonopay_finding_words(self, finding):
        """One finding in the language of this recordset."""
        if finding.kind in ("rate", "kept", "waiting"):
            return self._bonopay_group_words(finding)
        values = {
            "table": self._bonopay_table_words(finding.table),
            "code": finding.code,
            "day": format_date(self.env, finding.since) if finding.since else "",
        }
        return {
            "disputed": self.env._(
                "%(table)s, %(code)s: the DGI tells different things at different addresses, or to the companies of "
                "this database. Nothing was taken; if that lasts more than a day, ask the signer's operator.",
                **values,
            ),
            "withdrawn": self.env._(
                "%(table)s, %(code)s: the DGI no longer has it. Sell nothing under it, and enter the last day of its "
                "rate.",
                **values,
            ),
            "unknown": self.env._(
                "%(table)s, %(code)s: the DGI has it since %(day)s, and Odoo does not know it. Ask for the version of "
                "Bono Pay that does.",
                **values,
            ),
            "missing": self.env._(
                "%(table)s, %(code)s: the DGI does not have it. Do not use it, and ask the signer's operator.",
                **values,
            ),
        }[finding.kind]

    def _bonopay_table_words(self, table):
        return {
            reference.TAX_GROUPS: self.env._("Tax groups"),
            "invoice_types": self.env._("Invoice types"),
            "payment_methods": self.env._("Means of payment"),
            "client_types": self.env._("Client types"),
            "credit_natures": self.env._("Natures of credit notes"),
            "item_types": self.env._("Item types"),
        }[table]

    def _bonopay_group_words(self, finding):
        values = {
            "group": finding.code,
            "rate": payload.percent(finding.rate),
            "day": format_date(self.env, finding.since),
            "ours": "–" if finding.ours is None else f"{payload.percent(finding.ours)} %",
        }
        if finding.kind == "kept":
            return self.env._(
                "Group %(group)s: the DGI tells %(rate)s %% since %(day)s. Odoo keeps %(ours)s, as it was entered "
                "here: look at Bono Pay ▸ Tax groups and rates.",
                **values,
            )
        if finding.kind == "waiting":
            words = self.env._(
                "Group %(group)s: the DGI tells %(rate)s %% since %(day)s, and the signer's fiscal core does not have "
                "it yet. Odoo keeps %(ours)s until its operator has installed the version that does; you are told "
                "then.",
                **values,
            )
            ready = finding.prepared and self.env._(
                "Leave the taxes at this rate inactive until then: %s.",
                self._bonopay_names(finding.prepared.with_env(self.env)),
            )
            return " ".join(filter(None, (words, ready)))
        words = [
            self.env._("Group %(group)s: %(rate)s %% since %(day)s (before: %(ours)s).", **values),
            finding.begins > finding.since and self.env._("In Odoo from %s on.", format_date(self.env, finding.begins)),
            finding.taxes
            and self.env._("Taxes at another rate: %s.", self._bonopay_names(finding.taxes.with_env(self.env))),
            finding.prepared
            and self.env._("Taxes at this rate: %s.", self._bonopay_names(finding.prepared.with_env(self.env))),
        ]
        return " ".join(filter(None, words))
