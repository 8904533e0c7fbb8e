"""What Odoo's own till does to paid sales: each test passes while the defect is there.

The numbers are those of the list in the issue of the till. A till with our addon runs the same script, and must keep
the sale.
"""

import json

from tests.pos.shop import MOBILE, OIL, RICE
from tests.pos.till import BROKEN, RECEIPT, Till

SYNC = r"POST /web/dataset/call_kw/pos\.order/sync_from_ui"


def posted(till: Till) -> list[str]:
    """The uuids of the orders that the till posted, each time that it did."""
    bodies = [json.loads(body) for body in till.network.asked(SYNC)]
    return [order["uuid"] for body in bodies for order in body["params"]["args"][0]]


def sell_without_network(till: Till, *products: str) -> None:
    """Sales of a till that believes that it is online; each is paid and its receipt was there."""
    till.network.cut()
    for product in products:
        till.sell(product)
        till.next_sale()
    till.wait_for_storage()


# --- D1


def power_fails_at_the_receipt(till: Till) -> None:
    till.open()
    till.network.cut()
    till.choose(RICE)
    till.pay()
    till.wait_for_storage()
    till.power_fails_at(RECEIPT, till.click_validate)
    till.network.calm()
    till.switch_on()
    till.open()
    till.wait_for_storage()


def test_d01_core_loses_a_sale_when_the_power_fails_at_its_receipt(core_till: Till) -> None:
    power_fails_at_the_receipt(core_till)
    assert core_till.shop.paid() == []
    assert [order["state"] for order in core_till.orders()] == ["draft"], "as if it had never been paid"


# --- D2


def power_fails_between_two_sales(till: Till) -> None:
    """The second of them and the one after the failure, both paid and at the server."""
    till.open()
    till.wait_until_stored("unique_device_identifier")
    till.sell(RICE)
    till.next_sale()
    till.choose(OIL)
    till.pay(MOBILE)
    till.power_fails_at(RECEIPT, till.click_validate)
    till.switch_on()
    till.open()
    till.sell(OIL)


def test_d02_core_prints_one_number_on_two_paid_sales(core_till: Till) -> None:
    power_fails_between_two_sales(core_till)
    numbers = [order["pos_reference"] for order in core_till.shop.paid()]
    assert len(numbers) == 3
    assert len(set(numbers)) == 2


# --- D3


def local_storage_is_lost(till: Till) -> None:
    till.open()
    till.open()
    sell_without_network(till, RICE)
    till.kill()
    till.lose_local_storage()
    till.switch_on()


def test_d03_core_offers_nothing_but_to_delete_all_when_local_storage_is_lost(core_till: Till) -> None:
    local_storage_is_lost(core_till)
    assert not core_till.starts()
    error = core_till.page.locator(BROKEN)
    assert [button.inner_text() for button in error.locator("button.btn-primary").all()] == ["Reload data"]
    error.locator("button.btn-primary").click()
    core_till.page.wait_for_timeout(3000)
    core_till.network.calm()
    core_till.open()
    core_till.wait_for_storage()
    assert core_till.orders() == []
    assert core_till.shop.paid() == []


# --- D4


def manager_changes_the_shop(till: Till) -> None:
    till.open()
    sell_without_network(till, RICE, OIL)
    till.kill()
    till.shop.change()
    till.network.calm()
    till.switch_on()
    till.open("?from_backend=True")
    till.wait_for_storage()


def test_d04_core_loses_sales_when_a_manager_changes_the_shop(core_till: Till) -> None:
    manager_changes_the_shop(core_till)
    assert core_till.orders() == []
    assert core_till.shop.paid() == []


# --- D5


def cashier_reloads_the_data(till: Till) -> None:
    """While orders do not get through, which the till does not show."""
    till.open()
    fault = till.network.fault(SYNC, "status")
    till.sell(RICE)
    till.next_sale()
    till.wait_for_storage()
    assert fault.met
    till.choose_in_menu("Reload Data")
    till.page.locator(".modal-footer button", has_text="Limited").click()
    till.page.wait_for_timeout(3000)
    till.network.calm()
    till.open()
    till.wait_for_storage()


def test_d05_core_loses_sales_by_its_own_menu(core_till: Till) -> None:
    cashier_reloads_the_data(core_till)
    assert core_till.orders() == []
    assert core_till.shop.paid() == []


# --- D8


def server_comes_back(till: Till) -> None:
    """The Wi-Fi never went: no event of the browser tells."""
    till.open()
    sell_without_network(till, RICE)
    assert till.page.evaluate("() => navigator.onLine")
    till.network.calm()
    till.page.wait_for_timeout(15_000)


def test_d08_core_does_not_notice_that_the_server_is_back(core_till: Till) -> None:
    server_comes_back(core_till)
    assert core_till.shop.paid() == []
    assert [order["state"] for order in core_till.orders()] == ["paid"], "it is still there, and waits"


# --- D9


def session_is_closed_after_a_start_without_server(till: Till) -> None:
    till.open()
    till.open()
    sell_without_network(till, RICE)
    till.open()
    till.network.calm()
    till.sell(OIL)
    till.next_sale()
    till.close_register()
    till.shop.wait_until_closed()


def test_d09_core_closes_the_session_without_a_paid_sale(core_till: Till) -> None:
    session_is_closed_after_a_start_without_server(core_till)
    assert len(core_till.shop.paid()) == 1, "of two"


# --- D10


def cashier_sells_while_the_backlog_is_posted(till: Till) -> None:
    till.open()
    till.context.set_offline(True)
    for product in (RICE, OIL, RICE):
        till.sell(product)
        till.next_sale()
    till.network.fault(SYNC, "delay", seconds=1.5)
    till.context.set_offline(False)
    till.sell(OIL)
    till.page.wait_for_timeout(8000)


def test_d10_core_posts_the_backlog_twice(core_till: Till) -> None:
    cashier_sells_while_the_backlog_is_posted(core_till)
    orders = posted(core_till)
    assert len(set(orders)) == 4
    assert len(orders) > 4


# --- D11

FAILURE = {
    "jsonrpc": "2.0",
    "error": {
        "code": 0,
        "message": "Odoo Server Error",
        "data": {"name": "builtins.Exception", "message": "no lock", "arguments": [], "context": {}, "debug": ""},
    },
}


def server_fails_at_a_sale(till: Till) -> None:
    till.open()
    till.network.fault(SYNC, "status", status=200, body=json.dumps(FAILURE), content_type="application/json")
    till.choose(RICE)
    till.pay()
    till.click_validate()
    till.page.wait_for_timeout(3000)


def test_d11_core_unpays_a_sale_when_the_server_fails(core_till: Till) -> None:
    server_fails_at_a_sale(core_till)
    assert [order["state"] for order in core_till.orders()] == ["draft"]
    assert not core_till.page.locator(RECEIPT).count(), "the cashier, who has the money, stands at the payment"
