"""The trusted service of Bono Pay. It knows nothing of Odoo."""

__version__ = "1.0.0"
