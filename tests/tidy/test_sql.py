"""SQL keeps projects apart, in every statement and in the schema (as Citus needs it too)."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from guerdon.kit import db

from .source import name, python, texts, tree

# Tables that are read before the project is known.
PROJECTLESS = {"projects", "api_keys", "schema_migrations"}

TENANT_TABLES = {
    "customers", "products", "skus", "orders", "voucher_terms", "campaigns", "vouchers", "redemptions", "events",
    "idempotency_keys", "code_guesses", "jobs", "job_files", "definition_changes", "categories", "metadata_schemas",
    "product_collections", "segments", "segment_members", "validation_rules", "validation_rule_assignments",
    "promotion_tiers", "promotion_stacks", "tallies", "tally_epochs", "session_holds", "campaign_validations",
    "cards", "card_lots", "card_entries", "card_notes", "order_returns", "card_pins",
    "card_pin_tries", "card_sales", "card_lot_rules",
    "exports", "export_files", "publications", "publication_vouchers", "custom_event_schemas", "custom_events",
    "loyalty_programs", "loyalty_parts", "loyalty_tiers", "loyalty_assignments", "loyalty_members", "loyalty_cards",
    "loyalty_pending", "loyalty_earnings", "loyalty_tier_changes", "loyalty_purchases",
    "loyalty_payments", "loyalty_benefits",
    "loyalty_pending_moves", "loyalty_days",
    "nights", "referrals", "referral_holders", "referral_identities", "referral_rewards",
}  # fmt: skip

# Statements over all projects, by the name they have: the worker's and the operator's. May only get shorter.
OVER_ALL_PROJECTS: set[str] = set()
OPERATORS = {"src/guerdon/verify.py", "src/guerdon/doctor.py", "src/guerdon/installation.py"}

TOUCHES = re.compile(
    r"\b(?:from|into|update|join)\s+(?:only\s+)?(" + "|".join(sorted(TENANT_TABLES)) + r")\b", re.IGNORECASE
)
VERB = re.compile(r"\b(select|insert|update|delete|with)\b")


def statements(path: Path) -> list[tuple[str, str]]:
    """The SQL of a file as (name, text): each simple statement of Python whose strings touch a tenant's table."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.Return | ast.Expr) and node.value is not None:
            text = texts(node)
            if TOUCHES.search(text) and VERB.search(text):
                target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
                found.append((ast.unparse(target) if target is not None else f"line {node.lineno}", text))
    return found


def test_every_statement_names_the_project() -> None:
    without = {
        f"{name(path)}: {named}"
        for path in python("src")
        if name(path) not in OPERATORS
        for named, text in statements(path)
        if "project_id" not in text
    }
    assert without == OVER_ALL_PROJECTS


def test_there_is_sql_to_look_at() -> None:
    assert sum(len(statements(path)) for path in python("src")) > 60


@pytest.mark.parametrize("path", [p for p in python("src") if statements(p)], ids=name)
def test_statements_are_put_together_of_constants_only(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.JoinedStr) and TOUCHES.search(texts(node)) and VERB.search(texts(node)):
            put_in = [ast.unparse(part.value) for part in node.values if isinstance(part, ast.FormattedValue)]
            assert all(part.split(".")[-1].isupper() for part in put_in), f"line {node.lineno}: {put_in}"


TABLES = """
    select c.relname as name, array_agg(a.attname) as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where n.nspname = 'public' and c.relkind = 'r' group by c.relname
"""

KEYS = """
    select t.relname as name, i.relname as index, x.indisprimary as is_primary,
           array(select a.attname from unnest(x.indkey) with ordinality as k (number, place)
                 join pg_attribute a on a.attrelid = t.oid and a.attnum = k.number order by k.place) as columns
    from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
    join pg_namespace n on n.oid = t.relnamespace
    where n.nspname = 'public' and (x.indisprimary or x.indisunique)
"""

REFERENCES = """
    select t.relname as name, f.relname as target, c.conname as constraint_name,
           array(select a.attname from unnest(c.conkey) with ordinality as k (number, place)
                 join pg_attribute a on a.attrelid = t.oid and a.attnum = k.number order by k.place) as columns
    from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_class f on f.oid = c.confrelid
    where c.contype = 'f'
"""

SHARED = """
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind = 'S'
    union all
    select tgname from pg_trigger where not tgisinternal
"""


async def test_the_tables_are_those_we_know(pool: db.Pool) -> None:
    tables: dict[str, list[str]] = {r["name"]: r["columns"] for r in await db.records(pool, TABLES)}
    assert set(tables) == TENANT_TABLES | PROJECTLESS, "say what a new table is"
    assert {table for table, columns in tables.items() if "project_id" in columns} - {
        "api_keys"
    } == TENANT_TABLES


async def test_keys_and_references_begin_with_the_project(pool: db.Pool) -> None:
    keys: list[Any] = await db.records(pool, KEYS)
    assert {key["name"] for key in keys if key["is_primary"]} >= TENANT_TABLES
    for key in keys:
        if key["name"] in TENANT_TABLES:
            assert key["columns"][0] == "project_id", f"{key['index']} of {key['name']}"
    for reference in await db.records(pool, REFERENCES):
        if reference["name"] in TENANT_TABLES:
            assert reference["columns"][0] == "project_id", reference["constraint_name"]
            assert reference["target"] in TENANT_TABLES


async def test_nothing_is_shared_between_projects(pool: db.Pool) -> None:
    assert [r["relname"] for r in await db.records(pool, SHARED)] == []
