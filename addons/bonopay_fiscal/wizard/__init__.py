from . import (
    account_move_reversal,
    bonopay_connection_form,
    bonopay_connection_test,
    bonopay_settings,
    res_config_settings,
)
