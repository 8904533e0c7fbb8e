import doctest

from odoo.tests import BaseCase, tagged

from ..core import (
    arithmetic,
    comparison,
    credit,
    dgi_status,
    document,
    payload,
    payments,
    provinces,
    reductions,
    reference,
    retry,
    secret,
    told,
)


@tagged("standard", "at_install")
class TestCoreDoctests(BaseCase):
    def test_examples_in_the_pure_modules_hold(self):
        modules = (
            arithmetic, comparison, credit, dgi_status, document, payload, payments, provinces, reductions, reference,
            retry, secret, told,
        )  # fmt: skip
        for module in modules:
            result = doctest.testmod(module)
            self.assertGreater(result.attempted, 0, module.__name__)
            self.assertEqual(result.failed, 0, module.__name__)
