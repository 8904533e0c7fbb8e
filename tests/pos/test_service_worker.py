"""The till starts without a network: D6 and D7 of Odoo's own, and what else its service worker must never do."""

import re
import time
from urllib.parse import urlsplit

import pytest

from tests.pos.shop import RICE
from tests.pos.till import Till

MAY_BE_KEPT = re.compile(r"/pos/ui/\d+|/web/(assets/|image|bundle).*|/[a-z_]+/static/.*")


def open_twice(till: Till) -> None:
    """Odoo's own worker has a page from its second load on."""
    till.open()
    till.open()


def kept(till: Till) -> dict[str, list[str]]:
    """The addresses in each of the browser's caches."""
    return till.page.evaluate(
        """async () => {
            const found = {};
            for (const name of await caches.keys()) {
                const requests = await (await caches.open(name)).keys();
                found[name] = requests.map(({ url }) => url);
            }
            return found;
        }"""
    )


def wait_until_kept(till: Till, versions: int = 1, other_than: str = "") -> str:
    """Until a version holds the till's page, and its worker has begun; gives its name."""
    ends = time.monotonic() + 30
    while True:
        caches = {name: urls for name, urls in kept(till).items() if name.startswith("bonopay-pos-v-")}
        holding = [name for name, urls in caches.items() if till.url in urls and name != other_than]
        is_on = till.page.evaluate("() => Boolean(navigator.serviceWorker.controller)")
        if is_on and holding and len(caches) == versions:
            return holding[0]
        assert time.monotonic() < ends, caches
        time.sleep(0.2)


# --- D6: any address


def starts_again_where_the_cashier_stood(till: Till) -> bool:
    open_twice(till)
    till.choose(RICE)
    till.wait_for_storage()
    assert "/product/" in till.page.url, "the address is that of a screen within the till"
    till.network.cut()
    return till.reload()


def test_d06_core_does_not_start_again_where_the_cashier_stood(core_till: Till) -> None:
    assert not starts_again_where_the_cashier_stood(core_till)


def test_d06_the_till_starts_again_where_the_cashier_stood(till: Till) -> None:
    assert starts_again_where_the_cashier_stood(till)
    assert till.orders(), "with what was on the order"


# --- D7: only what is the till


def starts_after_a_gateways_error(till: Till) -> bool:
    open_twice(till)
    fault = till.network.fault(r"GET /pos/ui/", "status", times=1)
    till.starts()
    assert fault.met
    till.network.cut()
    return till.starts()


def starts_after_the_session_of_the_user_ended(till: Till) -> bool:
    open_twice(till)
    till.context.clear_cookies()
    assert not till.starts(), "the way to the login"
    till.network.cut()
    return till.starts()


@pytest.mark.parametrize("script", [starts_after_a_gateways_error, starts_after_the_session_of_the_user_ended])
def test_d07_core_keeps_it_in_place_of_the_till(core_till: Till, script) -> None:
    assert not script(core_till)


@pytest.mark.parametrize("script", [starts_after_a_gateways_error, starts_after_the_session_of_the_user_ended])
def test_d07_it_never_takes_the_place_of_the_till(till: Till, script) -> None:
    assert script(till)


def test_d07_the_welcome_of_a_wifi_portal_never_takes_the_place_of_the_till(till: Till) -> None:
    till.open()
    wait_until_kept(till)
    portal = till.network.fault(r"GET ", "status", status=200)
    assert not till.starts()
    assert portal.met
    till.network.cut()
    assert till.starts()


# --- what is kept


def test_one_load_is_enough_to_start_without_a_network(till: Till) -> None:
    till.open()
    wait_until_kept(till)
    till.network.cut()
    till.kill()
    till.switch_on()
    assert till.starts()
    till.sell()


def test_from_the_back_office_the_page_that_is_kept_is_the_plain_one(till: Till) -> None:
    till.open("?from_backend=True")
    wait_until_kept(till)
    till.network.cut()
    assert till.starts("?from_backend=True")
    assert not till.page.evaluate("() => odoo.from_backend")


def test_no_data_is_kept(till: Till) -> None:
    till.open()
    wait_until_kept(till)
    till.sell()
    till.open()
    paths = {urlsplit(url).path for urls in kept(till).values() for url in urls}
    assert {path for path in paths if not MAY_BE_KEPT.fullmatch(path)} == set()
