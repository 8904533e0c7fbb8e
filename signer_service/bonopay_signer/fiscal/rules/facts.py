"""What several rules need to know of an invoice, found once."""

from decimal import Decimal

from .. import tables, taxes
from ..schema import Invoice, TaxGroup


class Facts:
    """An invoice, the tables of its day, and what the arithmetic makes of its lines.

    `lines` are the amounts of the lines, `computed` the tax groups that they give, by ascending code: None where the
    group was not in force. `listed` is where the declared rows of these groups stand, without those listed repeatedly.
    """

    __slots__ = ("computed", "invoice", "lines", "listed", "tables")

    def __init__(self, invoice: Invoice) -> None:
        self.invoice = invoice
        self.tables = tables.in_force(taxes.fiscal_date(invoice))
        self.lines: list[Decimal] = [taxes.line_amount(item) for item in invoice.items]
        self.computed: dict[str, TaxGroup | None] = {
            code: self._computed(code, *sums) for code, sums in taxes.group_sums(invoice.items, self.lines).items()
        }
        self.listed = self._listed_once()

    def _listed_once(self) -> dict[str, int]:
        position_of: dict[str, int] = {}
        repeated: set[str] = set()
        for position, group in enumerate(self.invoice.tax_groups):
            if group.code in position_of:
                repeated.add(group.code)
            elif group.code in self.computed:
                position_of[group.code] = position
        for code in repeated:
            del position_of[code]
        return position_of

    def _computed(self, code: str, lines: Decimal, specific: Decimal) -> TaxGroup | None:
        group = self.tables.tax_groups.get(code)
        return group and taxes.group_amounts(code, group.rate, self.invoice.price_mode, lines, specific)

    @property
    def tables_are_known(self) -> bool:
        """False for a day before the first table: one fault, which `issued_when_tables_are_known` reports."""
        return bool(self.tables.tax_groups)
