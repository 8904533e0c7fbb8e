from dataclasses import replace
from decimal import Decimal

from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ..core import dgi, payload, reductions
from ..core.arithmetic import exact, group_amounts, line_amount, net_unit_price, round2, round_quantity
from .account_move_checks import Fault

#: Documents whose prices are still to be agreed; a credit note repeats the prices of its sale.
_PRICED_TYPES = ("out_invoice", "out_receipt")


class AccountMove(models.Model):
    """Reductions become net prices, with the original price and the reason beside them (SFE §1.2 l, §1.21–22).

    A line below zero is a reduction of the articles of its tax group; an article with a discount of 100 % is a gift.
    Both are spread over what is sold in the group, to the centime, or refused with the way out.
    """

    _inherit = "account.move"

    bonopay_has_reductions = fields.Boolean("Reductions to distribute", compute="_compute_bonopay_has_reductions")

    @api.depends(
        "state",
        "bonopay_required",
        *(f"invoice_line_ids.{name}" for name in ("display_type", "price_unit", "quantity", "discount")),
    )
    def _compute_bonopay_has_reductions(self):
        for move in self:
            move.bonopay_has_reductions = move._bonopay_may_distribute() and any(
                map(move._bonopay_is_below_price, move._bonopay_lines())
            )

    def action_bonopay_distribute_reductions(self):
        """Lower the unit prices by the reductions on these drafts, which become notes.

        :raises UserError: there are none, or no lawful prices express them
        """
        self.check_access("write")
        for move in self:
            if not move.bonopay_has_reductions:
                raise UserError(self.env._("%s has no reductions to distribute.", move._bonopay_label()))
            _prices, refused = move._bonopay_net_prices()
            if refused:
                raise UserError("\n".join([move._bonopay_label(), *(f"• {words}" for words in refused.values())]))
            move._bonopay_distribute_reductions()

    def _bonopay_may_distribute(self):
        return self.state == "draft" and self.bonopay_required and self.move_type in _PRICED_TYPES

    def _bonopay_distribute_reductions(self):
        """Do so where it is lawful; what is refused stays as it is, and says why before posting."""
        for move in self.filtered(lambda move: move._bonopay_may_distribute()):
            prices, refused = move._bonopay_net_prices()
            if not refused and prices:
                move.write({"invoice_line_ids": move._bonopay_price_commands(prices)})

    # ------------------------------------------------------------------------------------------------------------
    # What the lines are: hooks
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_is_reduction(self, line):
        """Whether a line stands for an amount off articles, and not for an article. Hook."""
        return line.price_unit < 0 < line.quantity and line.discount < 100

    def _bonopay_is_gift(self, line):
        """Whether a line is an article that is given away with a sale. Hook."""
        return line.price_unit > 0 and line.quantity > 0 and line.discount >= 100

    def _bonopay_may_be_free(self, line):
        """Whether a line need not stay on the document when nothing is paid for it. Hook."""
        return False

    def _bonopay_reduced_lines(self, line, articles):
        """Those of the articles of its tax group that a reduction is meant for. Hook."""
        return articles

    def _bonopay_reduction_refusal(self, line):
        """Why a reduction may be distributed over no article whatever, if so. Hook."""
        return None

    def _bonopay_is_below_price(self, line):
        """Whether a line is paid with less than its price, or nothing."""
        free = not line.price_unit and self._bonopay_may_be_free(line)
        return free or self._bonopay_is_reduction(line) or self._bonopay_is_gift(line)

    # ------------------------------------------------------------------------------------------------------------
    # The net prices
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_net_prices(self):
        """What the lines with reductions become.

        :return: ``({line: parts}, {line: refusal})``: no parts for a line that becomes a note
        :rtype: tuple[dict, dict[account.move.line, str]]
        """
        prices, refused = {}, {}
        for (letter, _included), lines in self._bonopay_lines().grouped(self._bonopay_reduction_group).items():
            below = lines.filtered(self._bonopay_is_reduction)
            articles = (lines - below).filtered(self._bonopay_bears)
            concerned = lines.filtered(self._bonopay_is_below_price)
            if not concerned:
                continue
            words = {line: self._bonopay_refused_in(letter, line, articles) for line in concerned}
            if not any(words.values()):
                found, refusal = self._bonopay_group_prices(articles, below)
                prices |= found | dict.fromkeys(below, ())
                words = dict.fromkeys(concerned, refusal)
            refused |= {line: why for line, why in words.items() if why}
        return prices, refused

    def _bonopay_reduction_group(self, line):
        """The DGI group within which a reduction of this line stays, none when it has not exactly one, and whether its
        prices include tax: an amount before tax is another one than with it.

        :rtype: tuple[str | None, bool]
        """
        taxes = line.tax_ids.flatten_taxes_hierarchy().filtered("bonopay_group")
        letters = set(taxes.mapped("bonopay_group"))
        return (letters.pop() if len(letters) == 1 else None, any(taxes.mapped("price_include")))

    def _bonopay_bears(self, line):
        """Whether the price of a line can be lowered: not where a specific tax would fall with it, and what is faulty
        otherwise is put right first."""
        quantity, tax = exact(line.quantity), self._bonopay_specific_tax(line)
        sound = line.price_unit >= 0 < quantity == round_quantity(quantity)
        return sound and not (tax and tax.basis == "percent")

    def _bonopay_refused_in(self, letter, line, articles):
        if why := self._bonopay_reduction_refusal(line):
            return why
        if self._bonopay_is_reduction(line) and line.tax_ids._bonopay_split_taxes()[1]:
            return self.env._(
                "a reduction has no specific tax of its own, which the articles would not give back. Enter it as a "
                "discount in percent on the lines of the articles, or give it by a credit note (RRR)."
            )
        if letter is None:
            return self.env._("a reduction needs the tax of the articles that it is meant for: choose it.")
        if letter in dgi.LEVY_GROUPS:
            return self.env._(
                "a levy (tax group %s) is owed in full: it can neither be reduced nor given away.", letter
            )
        if not articles and (why := self._bonopay_refused_price_mode(line)):
            return why
        if not articles:
            return self.env._(
                "no article of tax group %s on this document can bear it: a reduction stays in its group, and where a "
                "specific tax is a percentage it would lower that too. Choose the tax of the articles that it is meant "
                "for, or give it by a credit note (RRR).",
                letter,
            )
        if line not in articles and not self._bonopay_is_reduction(line):
            return self.env._("it cannot be given away with a sale: sell it for a price above zero.")
        return None

    def _bonopay_refused_price_mode(self, line):
        letter, included = self._bonopay_reduction_group(line)
        lines = self._bonopay_lines().filtered(lambda one: not self._bonopay_is_reduction(one))
        if not lines.filtered(lambda one: self._bonopay_reduction_group(one) == (letter, not included)):
            return None
        if included:
            return self.env._("it is an amount with tax, and the articles have prices before tax: choose their tax.")
        return self.env._("it is an amount before tax, and the articles have prices with tax: choose their tax.")

    def _bonopay_group_prices(self, articles, below):
        """The parts of each article whose price changes, or why there are none.

        :rtype: tuple[dict, str | None]
        """
        places = {line: position for position, line in enumerate(articles)}
        wares = [self._bonopay_article(line) for line in articles]
        taken, left = [], sum((ware.amount for ware in wares), Decimal(0))
        for line in below:
            meant = self._bonopay_reduced_lines(line, articles) & articles
            amount = self._bonopay_reduction_amount(line, articles, left)
            taken.append(reductions.Reduction(amount, tuple(places[one] for one in meant)))
            left -= amount
        try:
            found = reductions.net_prices(wares, taken)
        except reductions.Undistributable as refusal:
            return {}, self._bonopay_undistributable(refusal, articles)
        changed = {}
        for line, ware, parts in zip(articles, wares, found, strict=True):
            if [part.price for part in parts] != [ware.price] or not ware.price:
                changed[line] = parts
        return changed, None

    def _bonopay_reduction_amount(self, line, articles, left):
        """What a line takes off its group, in the price mode of its tax.

        :param left: what the articles of the group cost without it
        """
        price = net_unit_price(exact(line.price_unit), exact(line.discount or 0.0))
        amount = -line_amount(price, round_quantity(exact(line.quantity)))
        agreed = self._bonopay_agreed_total(line)
        if agreed is None:
            return amount
        tax = line.tax_ids.flatten_taxes_hierarchy().filtered("bonopay_group")[:1]
        mode = "ttc" if tax.price_include else "ht"
        specific = sum((self._bonopay_line(one).specific_tax_amount for one in articles), Decimal(0))
        specific /= self._bonopay_in_francs(1)  # what is reduced is in the currency of the document

        def total_less(off):
            return group_amounts(tax.bonopay_group, exact(tax.amount), mode, left - off, specific).total

        return reductions.meeting(amount, total_less, total_less(Decimal(0)) - agreed)

    def _bonopay_agreed_total(self, line):
        """What a line takes off with its tax, where Odoo fixed that (a discount of so many francs); else nothing."""
        base_line = self._prepare_product_base_line_for_taxes_computation(line)
        excluded, taxes = base_line["manual_total_excluded_currency"], base_line["manual_tax_amounts"]
        if excluded is None or not taxes:
            return None
        return -round2(exact(excluded + sum(amounts["tax_amount_currency"] for amounts in taxes.values())))

    def _bonopay_article(self, line):
        price, discount = exact(line.price_unit), exact(line.discount or 0.0)
        in_dollars = self._bonopay_usd_rate() is not None  # of these, the law rounds the francs alone
        return reductions.Article(
            quantity=exact(line.quantity),
            price=price * (1 - discount / 100) if in_dollars else net_unit_price(price, discount),
            worth=price if in_dollars else round2(price),
            kin=line.product_id.id or None,
            may_be_free=self._bonopay_may_be_free(line),
        )

    def _bonopay_undistributable(self, refusal, articles):
        match refusal.reason:
            case "total":
                return self.env._(
                    "it takes all that is paid in its tax group, and the law knows no sale for nothing (SFE §1.21). "
                    "Invoice it together with more articles, or lower it."
                )
            case "gift":
                return self.env._(
                    "nothing is sold in the tax group of this gift that could bear its price (SFE §1.21). Sell it for "
                    "a price above zero, or take it off the invoice."
                )
            case "worth":
                return self.env._(
                    "“%s” has no price: enter its ordinary price and a discount of 100 %%.",
                    articles[refusal.article].product_id.display_name or articles[refusal.article].name,
                )
        return self.env._("unit prices would fall below a centime. Sell in a larger unit, or lower the reduction.")

    # ------------------------------------------------------------------------------------------------------------
    # Writing them
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_price_commands(self, prices):
        reasons = self._bonopay_price_reasons(prices)
        commands = []
        for line, parts in prices.items():
            if not parts:
                commands += [Command.delete(line.id), Command.create(self._bonopay_note(line))]
                continue
            change = {
                "discount": 0.0,
                "extra_tax_data": False,  # core would bring the old price back from it
                "bonopay_original_price": line.bonopay_original_price or line.price_unit,
                "bonopay_price_reason": reasons[line],
            }
            first, *others = ({**change, **self._bonopay_part(part)} for part in parts)
            if others and (tax := self._bonopay_specific_tax(line)) and tax.basis == "amount":
                untaxed = [Command.set(line.tax_ids._bonopay_split_taxes()[0].ids)]  # it is owed once
                others = [{**other, "tax_ids": untaxed} for other in others]
            if not others:
                del first["quantity"]
            copied = line.with_context(include_business_fields=True)
            commands += [Command.update(line.id, first)]
            commands += [Command.create(copied.copy_data({**other, "move_id": self.id})[0]) for other in others]
        return commands

    def _bonopay_part(self, part):
        return {"quantity": float(part.quantity), "price_unit": float(part.price)}

    def _bonopay_note(self, line):
        """A line that is no article: it keeps quantity and business fields, so that an order knows it as invoiced."""
        note = {
            "display_type": "line_note",
            "name": line.name,
            "sequence": line.sequence,
            "quantity": line.quantity,
            "product_uom_id": line.product_uom_id.id,
        }
        line._copy_data_extend_business_fields(note)
        return note

    def _bonopay_gifts_on(self, line, articles):
        """The gift that an article is, or those that its price pays for: its own product's, or such as are not sold."""
        if self._bonopay_is_gift(line):
            return line
        gifts = articles.filtered(self._bonopay_is_gift)
        sold = (articles - gifts).product_id
        return gifts.filtered(lambda gift: gift.product_id == line.product_id or gift.product_id not in sold)

    def _bonopay_price_reasons(self, prices):
        """Why each price changes: its own discount, the reductions meant for it, the gift that it pays for."""
        legal = self.with_context(lang=self._bonopay_legal_language()).env
        reasons = {}
        for line in prices:
            group = self._bonopay_reduction_group(line)
            same = self._bonopay_lines().filtered(lambda one, group=group: self._bonopay_reduction_group(one) == group)
            below = same.filtered(self._bonopay_is_reduction)
            gifts = self._bonopay_gifts_on(line, same - below)
            meant = below.filtered(lambda one, line=line, same=same: line in self._bonopay_reduced_lines(one, same))
            named = [payload.clean_text(one.name) for one in meant]
            named += [legal._("Gift: %s", self._bonopay_item_name(gift)) for gift in gifts]
            # what a reduction takes wholly is a gift as well
            named = named or [payload.clean_text(one.name) for one in below]
            own = None if line in gifts else self._bonopay_line_price(line).change
            reasons[line] = payload.clean_text(", ".join(filter(None, (own, *dict.fromkeys(named)))))
        return reasons

    # ------------------------------------------------------------------------------------------------------------
    # What is sealed, and what is refused
    # ------------------------------------------------------------------------------------------------------------

    def _bonopay_line_price(self, line):
        # EXTENDS: what the price was before reductions, and why it changed
        price = super()._bonopay_line_price(line)
        if not line.bonopay_price_reason or line.bonopay_original_price <= 0:
            return price
        change = ", ".join(filter(None, (payload.clean_text(line.bonopay_price_reason), price.change)))
        return replace(price, original=round2(self._bonopay_in_francs(line.bonopay_original_price)), change=change)

    def _bonopay_check_lines(self):
        yield from super()._bonopay_check_lines()
        for line in self._bonopay_lines():
            if bool(line.bonopay_original_price) != bool(payload.clean_text(line.bonopay_price_reason)):
                yield Fault(
                    "line.price_change",
                    line,
                    self.env._(
                        "%s: enter both the original unit price and the reason of its change, or neither.",
                        payload.clean_text(line.name) or line.product_id.display_name,
                    ),
                )

    def _bonopay_price_faults(self, line):
        if not self._bonopay_may_distribute() or not self._bonopay_is_below_price(line):
            yield from super()._bonopay_price_faults(line)
            return
        _prices, refused = self._bonopay_net_prices()
        yield (
            "line.price",
            refused.get(line)
            or self.env._(
                "a reduction or a gift is no article of its own (SFE §1.21): press “Distribute reductions”, which "
                "lowers the prices of the articles by it."
            ),
        )


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    bonopay_original_price = fields.Float(
        "Original unit price",
        digits="Product Price",
        help="What a unit cost before reductions that are no discount in percent; printed with the reason.",
    )
    bonopay_price_reason = fields.Char("Reason of the price change")
