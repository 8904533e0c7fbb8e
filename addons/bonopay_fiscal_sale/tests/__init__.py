from . import (
    test_advances,
    test_live_advances,
    test_loyalty_rewards,
    test_offers,
    test_order_reductions,
    test_paths_of_expenses,
    test_paths_of_goods,
    test_paths_of_orders,
    test_paths_of_the_website,
    test_roles_of_orders,
    test_sales_order,
    test_translations,
)
