"""What the e-MCF checks on a submitted invoice by itself, in the order in which it refuses."""

from decimal import Decimal

from .accounts import Outlet
from .documents import Document, Item, Payment
from .errors import RefusalError
from .tables import CREDIT_NOTES, LEVY_GROUPS, LEVY_ITEM, REBATE, Tables
from .taxes import SPECIFIC_VAT_GROUP, Totals, line_amount
from .wire import MAX_DIGITS, has_decimals, in_figures

MODES = frozenset({"ht", "ttc"})
PRICE_DECIMALS = 2
QUANTITY_DECIMALS = 3
CODE_LENGTH = 24
EXEMPTION_LABEL = "Réf. Exo. :"
LOCAL_CURRENCY = "CDF"


def check_document(document: Document, outlet: Outlet, tables: Tables) -> None:
    """Everything but the amounts of payments and the original of a credit note. Raises RefusalError."""
    _check_header(document, outlet, tables)
    _check_client(document, tables)
    if not document.items:
        raise RefusalError("no_items")
    for rank, item in enumerate(document.items):
        _check_item(item, f"article {rank + 1}", tables)
    for rank, payment in enumerate(document.payments):
        _check_payment(payment, f"paiement {rank + 1}", tables)
    if document.type in CREDIT_NOTES:
        _check_reference(document, tables)


def _check_header(document: Document, outlet: Outlet, tables: Tables) -> None:
    checks = (
        ("invoice_type", document.type in tables.codes("invoiceTypes"), document.type),
        ("seller_nif", document.nif == outlet.nif, document.nif),
        ("isf", document.isf == outlet.isf, document.isf),
        ("mode", document.mode in MODES, document.mode),
        ("rn_missing", document.rn, ""),
        ("operator_missing", document.operator, ""),
        ("currency_rate", _has_rate(document.currency, document.rate), document.currency),
    )
    _refuse_first_failure(checks)


def _check_client(document: Document, tables: Tables) -> None:
    """SFE annex I; the exemption reference of an AO client stands in comment line A (annex IV)."""
    client = document.client
    if client.type not in tables.codes("clientTypes"):
        raise RefusalError("client_type", client.type)
    given = {
        "name": client.name,
        "nif": client.nif,
        "document": document.comment_a.removeprefix(EXEMPTION_LABEL).strip(),
    }
    for field in tables.client_fields[client.type]:
        if not given[field]:
            raise RefusalError(f"client_{field}", client.type)


def _check_item(item: Item, where: str, tables: Tables) -> None:
    checks = (
        ("item_type", item.type in tables.codes("itemTypes"), where),
        ("tax_group", item.tax_group in tables.rates, where),
        ("item_type_group", (item.type == LEVY_ITEM) == (item.tax_group in LEVY_GROUPS), where),
        ("item_name", item.name, where),
        ("price_positive", item.price > 0, where),
        ("price_decimals", has_decimals(item.price, PRICE_DECIMALS), where),
        ("price_decimals", has_decimals(item.original_price, PRICE_DECIMALS), f"{where}, prix d’origine"),
        ("price_positive", item.original_price >= 0, f"{where}, prix d’origine"),
        ("quantity_positive", item.quantity > 0, where),
        ("quantity_decimals", has_decimals(item.quantity, QUANTITY_DECIMALS), where),
        ("specific_tax", _specific_tax_is_sound(item), where),
    )
    _refuse_first_failure(checks)
    if line_amount(item) == 0:
        raise RefusalError("line_zero", where)


def _specific_tax_is_sound(item: Item) -> bool:
    tax = item.specific_tax
    return tax >= 0 and has_decimals(tax, PRICE_DECIMALS) and (tax == 0 or item.tax_group != SPECIFIC_VAT_GROUP)


def _check_payment(payment: Payment, where: str, tables: Tables) -> None:
    checks = (
        ("payment_type", payment.name in tables.codes("paymentTypes"), where),
        ("payment_amount", payment.amount > 0 and has_decimals(payment.amount, PRICE_DECIMALS), where),
        ("currency_rate", _has_rate(payment.currency, payment.rate), where),
    )
    _refuse_first_failure(checks)


def _has_rate(currency: str, rate: Decimal) -> bool:
    return currency in ("", LOCAL_CURRENCY) or rate > 0


def _check_reference(document: Document, tables: Tables) -> None:
    """SFE §1.25 and §1.28: the nature is compulsory; a rebate (RRR) refers to no sale, its reference is "RRR"."""
    if document.nature not in tables.codes("referenceTypes"):
        raise RefusalError("nature", document.nature)
    if not document.reference:
        raise RefusalError("reference_missing")
    is_rebate = document.nature == REBATE
    if (document.reference != REBATE) if is_rebate else (len(document.reference) != CODE_LENGTH):
        raise RefusalError(
            "reference_length", "«\u00a0RRR\u00a0» est attendu pour une remise" if is_rebate else document.reference
        )


def check_amounts(document: Document, totals: Totals) -> None:
    """SFE §1.19: the payments add up to the total."""
    if totals.total.adjusted() >= MAX_DIGITS:
        raise RefusalError("out_of_range", "total")
    paid = sum((payment.amount for payment in document.payments), Decimal(0))
    if paid != totals.total:
        raise RefusalError("payments_total", f"{in_figures(paid)} payés pour {in_figures(totals.total)}")


def _refuse_first_failure(checks: tuple[tuple[str, object, str], ...]) -> None:
    for name, holds, detail in checks:
        if not holds:
            raise RefusalError(name, detail)
