def post_init_hook(env):
    """Give the companies whose chart of accounts is already loaded the DGI's groups and the taxes that lack."""
    env["account.chart.template"]._bonopay_upgrade_companies()
