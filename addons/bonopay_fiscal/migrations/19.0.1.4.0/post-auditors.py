"""Auditors who could invoice before their role took that away: their company is told who they are."""

from odoo import SUPERUSER_ID, api


def migrate(cr, version):
    api.Environment(cr, SUPERUSER_ID, {})["res.company"]._bonopay_call_for_barred_auditors()
