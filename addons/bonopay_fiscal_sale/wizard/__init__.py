from . import account_move_reversal, sale_make_invoice_advance
