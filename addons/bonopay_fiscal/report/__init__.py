from . import account_move, account_move_send, bonopay_seal, ir_actions_report, outlet_poster
