from . import (
    test_loyalty_rewards,
    test_order_reductions,
    test_sales_order,
)
