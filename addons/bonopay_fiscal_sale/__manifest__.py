{
    "name": "Bono Pay: sales orders",
    "summary": "What a sales order invoices ends as a facture normalisée",
    "version": "19.0.1.1.0",
    "category": "Accounting/Localizations/EDI",
    "countries": ["cd"],
    "author": "Bono Pay",
    "license": "LGPL-3",
    "development_status": "Beta",
    "depends": ["bonopay_fiscal", "sale"],
    "data": [
        "data/mail_template.xml",
        "views/account_move_views.xml",
        "report/sale_order_templates.xml",
    ],
    "auto_install": True,
}
