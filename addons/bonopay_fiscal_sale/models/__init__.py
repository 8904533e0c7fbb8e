from . import (
    account_move_advance,
    account_move_reduction,
    account_move_resale,
    account_move_send,
    account_move_settlement,
    payment_transaction,
    role_guard,
    sale_order_advance,
    sale_order_line_reduction,
    sale_order_offer,
    sale_order_reduction,
    sale_order_return,
)
