"""Vouchers: single codes and what each of them promises."""
