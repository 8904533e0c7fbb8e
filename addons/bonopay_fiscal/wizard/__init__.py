from . import (
    account_move_reversal,
    bonopay_connection_form,
    bonopay_onboarding,
    bonopay_onboarding_check,
    bonopay_onboarding_outlet,
    bonopay_onboarding_sale,
    bonopay_settings,
    res_config_settings,
)
