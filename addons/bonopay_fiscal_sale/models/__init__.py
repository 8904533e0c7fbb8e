from . import (
    account_move_reduction,
    sale_order_line_reduction,
    sale_order_reduction,
)
