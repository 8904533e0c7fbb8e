from . import (
    test_sales_order,
)
