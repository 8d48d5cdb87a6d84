"""From a line of a CSV file, or an element of a JSON array, to what is to be done to a voucher."""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from guerdon.kit import strict_json
from guerdon.kit.csv_files import column_key, elements_of, rows_of
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.kit.web import payload_error
from guerdon.vouchers.codes import check_code
from guerdon.vouchers.requests import VoucherFields
from guerdon.vouchers.terms import LimitIn

Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class ImportLimitIn(LimitIn):
    """The limit of an imported code, and how often it was redeemed elsewhere."""

    redeemed_quantity: Count | None = None


class ImportItem(VoucherFields, kw_only=True):
    """A code to be made, or changed when it is there."""

    code: str
    redemption: ImportLimitIn | UnsetType | None = UNSET  # type: ignore[assignment]

    def redeemed(self) -> int:
        """How often it was redeemed before it came here."""
        return (self.redemption.redeemed_quantity or 0) if isinstance(self.redemption, ImportLimitIn) else 0


class Line(msgspec.Struct):
    """One line of the import: the item, or what is wrong with it. `row` counts from 1, the header not included."""

    row: int
    code: str
    item: ImportItem | None = None
    error: str = ""


# Columns that are not metadata, by their compared names.
COLUMNS = {
    "code": "code",
    "voucher type": "type",
    "type": "type",
    "value": "value",
    "discount value": "value",
    "discount type": "discount_type",
    "discount effect": "effect",
    "effect": "effect",
    "discount amount limit": "amount_limit",
    "discount unit type": "unit_type",
    "unit type": "unit_type",
    "category": "category",
    "category id": "category_id",
    "start date": "start_date",
    "expiration date": "expiration_date",
    "redemption limit": "limit",
    "redemption quantity": "limit",
    "redeemed quantity": "redeemed",
    "redemption count": "redeemed",
    "redeemed amount": "",
    "gift amount": "gift",
    "gift balance": "",
    "loyalty points": "points",
    "loyalty balance": "",
    "active": "active",
    "additional info": "additional_info",
}
VALUE_OF = {"AMOUNT": "amount_off", "PERCENT": "percent_off", "FIXED": "fixed_amount", "UNIT": "unit_off"}
TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def lines_of_json(part: bytes, first_row: int) -> Iterator[Line]:
    """The lines of a part of a JSON array."""
    for row, raw in enumerate(elements_of(part), first_row):
        line = Line(row, "")
        try:
            text = bytes(raw)
            strict_json.check(text)
            line.code = _code_of(text)
            line.item = _checked(msgspec.json.decode(text, type=ImportItem))
        except (ApiError, msgspec.DecodeError) as error:
            line.error = _reason(error)
        yield line


def lines_of_csv(part: bytes, header: list[str], first_row: int) -> Iterator[Line]:
    """The lines of a part of a CSV file without its header."""
    for row, cells in enumerate(rows_of(part), first_row):
        line = Line(row, "")
        try:
            named, metadata = _named(header, cells)
            line.code = named.get("code", "")
            line.item = _checked(msgspec.convert(_plain(named, metadata), ImportItem))
        except (ApiError, msgspec.ValidationError) as error:
            line.error = _reason(error)
        yield line


def _code_of(element: bytes) -> str:
    code = msgspec.json.decode(element).get("code")
    return code[:512] if isinstance(code, str) else ""


def _checked(item: ImportItem) -> ImportItem:
    check_code(item.code)
    return item


def _reason(error: Exception) -> str:
    if isinstance(error, ApiError):
        return str(error.details or error.message)
    if isinstance(error, msgspec.ValidationError):
        return str(payload_error(error).details)
    return "is not JSON"


def _named(header: list[str], cells: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    if len(cells) > len(header):
        raise invalid_payload(Fault("", f"has {len(cells)} fields, the header names {len(header)}"))
    named: dict[str, str] = {}
    metadata: dict[str, str] = {}
    for column, cell in zip(header, cells, strict=False):
        if cell == "":
            continue
        place = COLUMNS.get(column_key(column))
        if place is None:
            metadata[column.strip()] = cell
        elif place:
            named[place] = cell if place in ("code", "additional_info") else cell.strip()
    return named, metadata


def _plain(named: dict[str, str], metadata: dict[str, str]) -> dict[str, Any]:
    """A line of CSV as the JSON element that means the same."""
    item: dict[str, Any] = {"code": named.get("code", "")}
    for name in ("category", "category_id", "start_date", "expiration_date", "additional_info"):
        if name in named:
            item[name] = named[name]
    if "type" in named:
        item["type"] = named["type"].upper().replace(" ", "_")
    if metadata:
        item["metadata"] = metadata
    if "active" in named:
        item["active"] = TRUTH.get(named["active"].lower(), named["active"])
    if "gift" in named:
        item["gift"] = {"amount": _whole(named["gift"], "Gift Amount")}
    if "points" in named:
        item["loyalty_card"] = {"points": _whole(named["points"], "Loyalty Points")}
    redemption = {
        name: _whole(named[place], column)
        for name, place, column in (
            ("quantity", "limit", "Redemption Limit"),
            ("redeemed_quantity", "redeemed", "Redeemed Quantity"),
        )
        if place in named
    }
    if redemption:
        item["redemption"] = redemption
    if "value" in named or "discount_type" in named:
        item["discount"] = _discount(named)
    return item


def _discount(named: dict[str, str]) -> dict[str, Any]:
    """Amounts in CSV are minor units, as in JSON."""
    kind = named.get("discount_type", "").upper()
    if kind not in VALUE_OF:
        raise invalid_payload(Fault("Discount Type", "must be one of " + ", ".join(VALUE_OF)))
    if "value" not in named:
        raise invalid_payload(Fault("Value", "is needed beside a Discount Type"))
    value: int | Decimal = _percent(named["value"]) if kind == "PERCENT" else _whole(named["value"], "Value")
    discount: dict[str, Any] = {"type": kind, VALUE_OF[kind]: value}
    if "effect" in named:
        discount["effect"] = named["effect"].upper().replace(" ", "_")
    if "unit_type" in named:
        discount["unit_type"] = named["unit_type"]
    if "amount_limit" in named:
        discount["amount_limit"] = _whole(named["amount_limit"], "Discount Amount Limit")
    return discount


def _whole(text: str, column: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 16):
        raise invalid_payload(Fault(column, f"must be a whole number, not {text[:40]!r}"))
    return int(text)


def _percent(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise invalid_payload(Fault("Value", f"must be a number, not {text[:40]!r}")) from None
