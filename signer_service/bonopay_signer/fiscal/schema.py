"""The canonical invoice, `bonopay.invoice/1` (docs/contracts.md §2).

Every member is always present and unknown members are refused. Amounts stay the strings that were sent: the hash is
over them. `null` where the type allows it means "does not apply".
"""

from typing import Literal

from msgspec import Struct

from .canonical import canonical_by_type
from .forms import (
    Date,
    DocumentId,
    Factor,
    FiscalNumberText,
    MerchantNif,
    Money,
    OutletId,
    Percent,
    Quantity,
    Rate,
    Text,
    Time,
)

InvoiceType = Literal["FV", "FT", "FA", "EV", "ET", "EA"]
TaxGroupCode = Literal["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P"]


class Client(Struct, frozen=True, forbid_unknown_fields=True):
    """The buyer (SFE §1.11, annex I). Which members a type makes compulsory: `tables.CLIENT_TYPES`."""

    type: Literal["PP", "PM", "PC", "PL", "AO"]
    name: Text | None
    nif: Text | None
    contact: Text | None
    address: Text | None
    exemption_reference: Text | None


class SpecificTax(Struct, frozen=True, forbid_unknown_fields=True):
    """A specific tax of one line (SFE §1.13). `amount`: `value`, or `value` × quantity, or `value` % of the line."""

    basis: Literal["amount", "quantity", "percent"]
    value: Factor
    amount: Money


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """A line (SFE §1.16). `unit_price` is net, excluding or including VAT as the invoice's `price_mode` says."""

    code: Text
    name: Text
    type: Literal["BIE", "SER", "TAX"]
    unit: Text
    quantity: Quantity
    unit_price: Money
    original_unit_price: Money | None
    price_change: Text | None
    tax_group: TaxGroupCode
    specific_tax: SpecificTax | None


class TaxGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """The sums of one tax group; `base + tax = total`, in CDF."""

    code: TaxGroupCode
    rate: Percent
    base: Money
    tax: Money
    total: Money


class Totals(Struct, frozen=True, forbid_unknown_fields=True):
    """The sums over the tax groups; `specific_tax` is informative, already inside `base`."""

    base: Money
    tax: Money
    specific_tax: Money
    total: Money
    currency: Literal["CDF"]


class Payment(Struct, frozen=True, forbid_unknown_fields=True):
    """A payment (SFE §1.18). `rate` is CDF for one unit of a foreign currency, null for CDF."""

    method: Literal["ESPECES", "VIREMENT", "CARTEBANCAIRE", "MOBILEMONEY", "CHEQUES", "CREDIT", "AUTRE"]
    amount: Money
    currency: Literal["CDF", "USD"]
    rate: Rate | None
    reference: Text | None


class ForeignCurrency(Struct, frozen=True, forbid_unknown_fields=True):
    """The foreign currency that the invoice was made out in (SFE §1.30); `rate` is CDF for one unit on `date`."""

    code: Literal["USD"]
    rate: Rate
    date: Date


class Credit(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a credit note exists and what it corrects (SFE §1.25–1.28).

    The law gives the DGI's code no form, so `original_dgi_code` has none here: it is compared with the original's.
    """

    nature: Literal["COR", "RAN", "RAM", "RRR"]
    original_fiscal_number: FiscalNumberText | None
    original_dgi_code: Text | None


class Comments(Struct, frozen=True, forbid_unknown_fields=True):
    """The eight comment lines (SFE §1.24, annex IV)."""

    A: Text | None
    B: Text | None
    C: Text | None
    D: Text | None
    E: Text | None
    F: Text | None
    G: Text | None
    H: Text | None


@canonical_by_type
class Invoice(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole canonical payload. Made by `parsing.parse`, which checks every member, and by nothing else."""

    schema: Literal["bonopay.invoice/1"]
    document_id: DocumentId
    merchant_nif: MerchantNif
    outlet_id: OutletId
    pos_terminal_id: Text | None
    cashier_id: Text
    cashier_name: Text
    invoice_type: InvoiceType
    price_mode: Literal["ht", "ttc"]
    reference_number: Text
    issued_at: Time
    client: Client
    items: tuple[Item, ...]
    tax_groups: tuple[TaxGroup, ...]
    totals: Totals
    payments: tuple[Payment, ...]
    foreign_currency: ForeignCurrency | None
    credit: Credit | None
    comments: Comments
