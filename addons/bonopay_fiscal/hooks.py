def post_init_hook(env):
    """Ship the provinces; give the companies whose chart of accounts is already loaded the DGI's groups and the taxes
    that lack."""
    env["res.country.state"]._bonopay_create_provinces()
    env["bonopay.outlet"]._choose_provinces()
    env["account.chart.template"]._bonopay_upgrade_companies()
