from . import account_move_reversal, bonopay_connection_test
