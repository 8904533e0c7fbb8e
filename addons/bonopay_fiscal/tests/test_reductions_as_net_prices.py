import random
from decimal import Decimal

from odoo.tests import BaseCase, tagged

from ..core.arithmetic import CENT, line_amount, round2
from ..core.reductions import Article, Part, Reduction, Undistributable, net_prices

SEED = 20261130
SALES = 4000


def _article(quantity, price, **values):
    price = Decimal(price)
    return Article(Decimal(quantity), price, values.pop("worth", price), **values)


def _prices(articles, *reductions):
    """``quantity × price`` of each part of each article."""
    found = net_prices(articles, [Reduction(Decimal(amount), meant) for amount, *meant in reductions])
    return [[f"{part.quantity} × {part.price}" for part in parts] for parts in found]


@tagged("standard", "at_install")
class TestReductionsAsNetPrices(BaseCase):
    def test_random_sales_keep_their_totals_to_the_centime(self):
        dice = random.Random(SEED)
        outcomes = {"distributed": 0}
        for number in range(SALES):
            articles = self._random_articles(dice)
            reductions = self._random_reductions(dice, articles)
            try:
                found = net_prices(articles, reductions)
            except Undistributable as refusal:
                outcomes[refusal.reason] = outcomes.get(refusal.reason, 0) + 1
                continue
            outcomes["distributed"] += 1
            target = _total(articles) - sum((reduction.amount for reduction in reductions), Decimal(0))
            with self.subTest(sale=number):
                self.assertEqual(sum((part.amount for parts in found for part in parts), Decimal(0)), target)
                for article, parts in zip(articles, found, strict=True):
                    self._check_parts(article, parts)
        self.assertGreater(outcomes["distributed"], SALES // 2)
        self.assertTrue({"total", "centimes"} <= outcomes.keys(), outcomes)

    def _check_parts(self, article, parts):
        self.assertTrue(parts or article.may_be_free, "an article disappears")
        if parts:
            self.assertEqual(sum(part.quantity for part in parts), article.quantity)
        for part in parts:
            self.assertGreater(min(part.quantity, part.price, part.amount), 0)
            self.assertLessEqual(part.price, article.worth, "a reduction makes nothing dearer")
            self.assertEqual(part.price, round2(part.price))

    def _random_articles(self, dice):
        found = []
        for _number in range(dice.randint(1, 7)):
            few = round(9 * dice.random() + 0.001, 3)
            quantity = Decimal(str(dice.choice((1, 1, 2, 3, 12, 1000, few))))
            price = round2(Decimal(str(10 ** dice.randint(0, 5) * dice.random() + 0.01)))
            if line_amount(price, quantity):
                paid = Decimal(0) if dice.random() < 0.1 else price
                kin, free = dice.choice((None, "a", "b")), dice.random() < 0.1
                found.append(Article(quantity, paid, price, kin, free))
        return found or [_article(1, 5)]

    def _random_reductions(self, dice, articles):
        found = []
        for _number in range(dice.randint(0, 3)):
            meant = tuple(dice.sample(range(len(articles)), dice.randint(0, len(articles))))
            part = Decimal(str(dice.random() * dice.choice((0.01, 0.1, 0.5))))
            amount = _total([articles[position] for position in meant]) if dice.random() < 0.1 else 0
            found.append(Reduction(amount or round2(_total(articles) * part) or CENT, meant))
        return found

    def test_what_one_price_cannot_say_is_split(self):
        self.assertEqual(_prices([_article(3, 100)], ("100",)), [["2 × 66.67", "1 × 66.66"]])
        self.assertEqual(_prices([_article("2.5", "10")], ("0.01",)), [["1.5 × 10.00", "1 × 9.99"]])

    def test_an_article_of_one_unit_takes_the_centimes_of_the_others(self):
        self.assertEqual(_prices([_article(3, 100), _article(1, 100)], ("40",)), [["3 × 90.00"], ["1 × 90.00"]])
        self.assertEqual(_prices([_article(7, 10), _article(1, 10)], ("1",)), [["7 × 9.88"], ["1 × 9.84"]])

    def test_who_is_not_meant_keeps_the_price(self):
        self.assertEqual(_prices([_article(2, 10), _article(1, 99)], ("2", 0)), [["2 × 9.00"], ["1 × 99"]])

    def test_a_gift_lowers_the_price_of_its_own_product_first(self):
        rice, oil = _article(2, 30, kin="rice"), _article(1, 50, kin="oil")
        gift = _article(1, 0, worth=Decimal(30), kin="rice")
        self.assertEqual(_prices([rice, oil, gift]), [["2 × 20.00"], ["1 × 50"], ["1 × 20.00"]])
        self.assertEqual(_prices([oil, _article(1, 0, worth=Decimal(50), kin="cup")]), [["1 × 25.00"], ["1 × 25.00"]])

    def test_an_article_that_is_reduced_to_nothing_is_a_gift(self):
        self.assertEqual(_prices([_article(1, 50), _article(1, 50)], ("50", 1)), [["1 × 25.00"], ["1 × 25.00"]])

    def test_a_delivery_that_is_free_leaves_the_document(self):
        delivery = _article(1, 20, may_be_free=True)
        self.assertEqual(_prices([_article(1, 50), delivery], ("20", 1)), [["1 × 50"], []])
        self.assertEqual(_prices([delivery], ("20",)), [[]])

    def test_what_leaves_nothing_to_pay_is_refused(self):
        gift = _article(1, 0, worth=Decimal(5))
        for articles, amounts, reason in (
            ([_article(1, 5)], ("5",), "total"),
            ([_article(1, 5)], ("6",), "total"),
            ([gift], (), "gift"),
            ([_article(1, 5), _article(1, 0)], (), "worth"),
            ([_article(10, "0.05")], ("0.45",), "centimes"),
        ):
            with self.subTest(reason=reason, amounts=amounts), self.assertRaises(Undistributable) as caught:
                net_prices(articles, [Reduction(Decimal(amount)) for amount in amounts])
            self.assertEqual(caught.exception.reason, reason)

    def test_a_part_is_a_line(self):
        self.assertEqual(Part(Decimal("2.125"), Decimal("0.33")).amount, Decimal("0.70"))


def _total(articles):
    return sum((article.amount for article in articles), Decimal(0))
