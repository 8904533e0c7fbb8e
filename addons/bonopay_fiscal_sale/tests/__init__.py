from . import (
    test_advances,
    test_sales_order,
)
