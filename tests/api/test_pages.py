"""The pages: their headers, what they say when something is not there, and the shop's till."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from guerdon.app import App
from guerdon.demo import store as demo_store
from guerdon.demo.importing import public_campaign
from guerdon.demo.making import headers_of
from guerdon.demo.offers import MISTYPED, public_offers
from guerdon.demo.promotions import Made, making
from guerdon.demo.shop import DELIVERY, shop_offers
from guerdon.pages import club, demo_file, files
from guerdon.pages.club import Club, Day, Figures, Mark, Month
from guerdon.pages.demo_file import DemoFile, ShelfLine, ShopBasket, ShopLine
from guerdon.projects.bootstrap import add_management_key, create_project

NOW = datetime(2026, 11, 21, 17, tzinfo=UTC)
BASKET = ShopBasket(
    id="31198570044",
    household="household-900",
    about="35–44, 2 adults and kids",
    at="2026-11-21T11:53",
    lines=[
        ShopLine("product-1", "Milk", "own brand", 2, 398),
        ShopLine("product-2", "<b>Bread</b>", "20 oz", 1, 250),
        ShopLine("product-3", "Coffee", "", 1, 952),
    ],
    codes=[],
)
VISIT = "0123456789abcdef"


SHELF = [
    ShelfLine("product-4", "Bananas", "", 128, "Produce"),
    ShelfLine("product-5", "Sliced turkey", "", 350, "Deli"),
]
STOCK = [
    demo_store.Product("product-4", "Bananas", 128, {"department": "Produce"}),
    demo_store.Product("product-5", "Sliced turkey", 350, {"department": "Deli"}),
]


def asked(*codes: str, visit: str = VISIT, **more: object) -> dict[str, object]:
    return {"basket": BASKET.id, "codes": list(codes), "visit": visit} | more


async def made_of(client: httpx.AsyncClient, file: DemoFile, pool: Any) -> Made:
    """The demo's promotions, made over the API as the demo makes them."""
    management = await add_management_key(pool, file.project_id)
    steps = making()
    answer: dict[str, Any] | None = None
    while True:
        try:
            request = next(steps) if answer is None else steps.send(answer)
        except StopIteration as done:
            return done.value
        path = request.path.replace("{project}", file.project_id)
        sent = await client.post(path, json=request.body, headers=headers_of(request, file, management))
        assert sent.status_code == 200, sent.text
        again = await client.post(path, json=request.body, headers=headers_of(request, file, management))
        answer = sent.json()
        assert again.json() == answer  # a making that was cut off makes nothing twice


@pytest_asyncio.fixture
async def shop(app: App, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The application as a demo, with the public offers and one basket; its client has no keys."""
    assert app.state is not None
    made = await create_project(app.state.pool, "demo", "America/New_York")
    campaigns = [public_campaign(offer) for offer in public_offers(NOW)]
    await demo_store.add_campaigns(app.state.pool, made.project_id, campaigns)
    content = DemoFile(
        made.project_id, made.app_id, made.app_token, "America/New_York",
        baskets=[BASKET], offers=shop_offers(NOW), mistyped=MISTYPED, delivery=DELIVERY, shelf=SHELF,
    )  # fmt: skip
    await demo_store.add_products(app.state.pool, made.project_id, STOCK, NOW)
    demo_file.write(tmp_path, content)
    before = app.state.settings
    app.state.settings = msgspec.structs.replace(before, demo=True, data_dir=str(tmp_path))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://guerdon.test"
    ) as client:
        yield client
    app.state.settings = before


@pytest_asyncio.fixture
async def promoted(shop: httpx.AsyncClient, app: App) -> dict[str, str]:
    """The promotions of the shop, just made: ids by name."""
    assert app.state is not None
    folder = app.state.settings.data_path
    file = demo_file.read(folder)
    assert file is not None
    made = await made_of(shop, file, app.state.pool)
    file.promotions, file.names = made.promotions, made.names
    demo_file.write(folder, file)
    return {one.name: one.id for one in made.promotions}


async def promotion_counter(shop: httpx.AsyncClient, name: str) -> dict[str, Any]:
    found = (await shop.get("/demo/api/counters")).json()["promotions"]
    return next(one for one in found if one["name"] == name)


async def counter(shop: httpx.AsyncClient, code: str) -> dict[str, int]:
    found = (await shop.get("/demo/api/counters")).json()["campaigns"]
    return next(one for one in found if one["code"] == code)


@pytest.mark.parametrize("path", ["/docs", "/demo", "/demo/club"])
async def test_a_page_runs_no_inline_script_and_nothing_from_elsewhere(
    shop: httpx.AsyncClient, path: str
) -> None:
    answer = await shop.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["strict-transport-security"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", answer.text)
    assert not re.findall(r'(?:src|href)="(?!/|#)', answer.text)


async def test_every_file_a_page_names_is_there(
    shop: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/docs", "/demo", "/demo/club"):
        text = (await shop.get(path)).text
        for name in re.findall(r'"(/assets/[^"]+)"', text):
            if name.startswith("/assets/woff2/") and not files.built(name.rsplit("/", 1)[1]):
                continue
            answer = await shop.get(name)
            assert answer.status_code == 200, name
            again = await shop.get(name, headers={"If-None-Match": answer.headers["etag"]})
            assert again.status_code == 304


async def test_the_club_shows_the_shop_and_the_year_that_was_left(shop: httpx.AsyncClient, app: App) -> None:
    assert app.state is not None
    folder, pool = app.state.settings.data_path, app.state.pool
    assert "There is no club yet" in (await shop.get("/demo/club")).text
    file = demo_file.read(folder)
    assert file is not None
    made = Club("lprg_x", "lcdef_x", "Club", 2, ["Green"], {"Green": "lt_x"})
    first = NOW.date()
    await club.write_mark(pool, file.project_id, Mark(first, first, club=made, done=first))
    text = (await shop.get("/demo/club")).text
    assert "The shop that is open" in text and "0 are outstanding: $0.00" in text and "make demo-year" in text
    days = [Day(date(2017, 6, 30), 3, 500, 0, 0, 0, 500), Day(date(2017, 7, 1), 0, 0, 0, 200, 0, 300)]
    months = [Month(date(2017, 6, 1), 3, 500, outstanding=500, tiers={"<b>Top</b>": 7}, proved=True)]
    year = Figures("Club", 2, ["<b>Top</b>"], days[0].day, days[1].day, days, months)
    club.write_year(folder, year)
    text = (await shop.get("/demo/club")).text
    assert "200 lapsed, and 300 are outstanding: $6.00" in text and "30 Jun: 200 lapsed" in text
    assert ">7</td>" in text and "$10.00" in text and "&lt;b&gt;Top" in text and "<b>" not in text


@pytest.mark.parametrize("name", ["..%2f..%2fapi.py", "../api.py", "guerdon.css.bak", "api.py", "%00"])
async def test_no_other_file_is_served(shop: httpx.AsyncClient, name: str) -> None:
    answer = await shop.get(f"/assets/css/{name}")
    assert answer.status_code in (400, 404)
    assert b"def " not in answer.content


async def test_docs_without_its_viewer_says_how_to_get_it(
    shop: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "ASSETS", tmp_path / "none")
    text = (await shop.get("/docs")).text
    assert "python -m guerdon.pages.build" in text
    assert "swagger-ui" not in text


async def test_the_shop_is_closed_when_the_server_is_no_demo(client: httpx.AsyncClient) -> None:
    for path in ("/demo", "/demo/club"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert "guerdon demo" in answer.text
    for method, path in (
        ("GET", "shop"),
        ("GET", "counters"),
        ("POST", "qualifications"),
        ("POST", "validations"),
        ("POST", "redemptions"),
        ("POST", "sorting"),
    ):
        body = asked("HARVEST10", rule="BEST_DEAL") if method == "POST" else None
        answer = await client.request(method, f"/demo/api/{path}", json=body)
        assert (answer.status_code, answer.json()["key"]) == (404, "not_found")


async def test_the_page_is_told_no_key(shop: httpx.AsyncClient, app: App) -> None:
    assert app.state is not None
    file = demo_file.read(app.state.settings.data_path)
    assert file is not None
    told = (await shop.get("/demo")).text + (await shop.get("/demo/api/shop")).text
    told += (await shop.post("/demo/api/validations", json=asked("HARVEST10"))).text
    assert file.app_id not in told and file.app_token not in told
    assert (app.state.settings.data_path / demo_file.NAME).stat().st_mode & 0o077 == 0


async def test_a_code_is_validated_line_by_line_with_its_reasons(shop: httpx.AsyncClient) -> None:
    wire = (await shop.post("/demo/api/validations", json=asked("EVERYLINE", "HARVEST10"))).json()
    assert (wire["path"], wire["status"]) == ("/v1/validations", 200)
    lines, whole = wire["answer"]["redeemables"]
    assert [item["applied_discount_amount"] for item in lines["order"]["items"]] == [25, 25, 25, 25]
    assert whole["order"]["applied_discount_amount"] == 199  # 10 % of 20.90 less four quarters
    assert whole["explain"]["discount"][0]["facts"]["base"] == 1990
    assert wire["request"]["customer"] == {"source_id": "household-900"}


@pytest.mark.parametrize(
    ("code", "key"),
    [("SUMMER25", "voucher_expired"), ("NEXTYEAR", "voucher_not_active"), ("PAUSED", "voucher_disabled"),
     (MISTYPED, "not_found"), ("harvest10", "not_found")],
)  # fmt: skip
async def test_a_refusal_is_explained(shop: httpx.AsyncClient, code: str, key: str) -> None:
    answer = (await shop.post("/demo/api/validations", json=asked(code))).json()["answer"]
    assert answer["valid"] is False
    one = answer["inapplicable_redeemables"][0]
    assert one["result"]["error"]["key"] == key
    assert one["explain"]["checks"][-1]["outcome"] == "failed"


async def test_redeem_return_a_line_and_take_all_back_move_the_counter(shop: httpx.AsyncClient) -> None:
    made = (await shop.post("/demo/api/redemptions", json=asked("HARVEST10"))).json()
    assert made["status"] == 200
    again = (await shop.post("/demo/api/redemptions", json=asked("HARVEST10"))).json()
    assert again["answer"] == made["answer"]  # a second click is the same purchase
    redemption = made["answer"]["redemptions"][0]["id"]
    assert ((await counter(shop, "HARVEST10"))["redeemed"], (await counter(shop, "HARVEST10"))["given"]) == (
        1,
        209,
    )
    back = f"/demo/api/redemptions/{redemption}/rollback"
    part = (await shop.post(back, json={"visit": VISIT, "items": [2]})).json()
    assert part["status"] == 200
    returned = 209 - (await counter(shop, "HARVEST10"))["given"]
    assert returned == abs(part["answer"]["rollbacks"][0]["amount"]) == 95
    assert (await counter(shop, "HARVEST10"))["redeemed"] == 1
    whole = (await shop.post(back, json={"visit": VISIT, "items": None})).json()
    assert whole["status"] == 200
    end = await counter(shop, "HARVEST10")
    assert (end["redeemed"], end["given"], end["rolled_back"]) == (0, 0, 1)


async def test_the_basket_says_which_promotions_it_may_have_and_what_is_missing(
    shop: httpx.AsyncClient, promoted: dict[str, str]
) -> None:
    wire = (await shop.post("/demo/api/qualifications", json=asked(extras={"product-4": 2}))).json()
    assert (wire["path"], wire["status"]) == ("/v1/qualifications", 200)
    assert wire["answer"]["redeemables"]["data"] == []
    seen = await shop.post("/demo/api/validations", json=asked(promotions=list(promoted.values())))
    told = {one["id"]: one["explain"] for one in seen.json()["answer"]["inapplicable_redeemables"]}
    assert told[promoted["Greens"]]["nearest_change"] == "3 more of Produce"
    assert told[promoted["Five off fifty"]]["nearest_change"] == "add 29.10 to the order"
    wire = (await shop.post("/demo/api/qualifications", json=asked(extras={"product-4": 3}))).json()
    fit = {one["id"] for one in wire["answer"]["redeemables"]["data"]}
    assert fit == {promoted["Greens"], promoted["The more, the less"]}


async def test_promotions_and_codes_are_validated_together_at_the_stored_prices(
    shop: httpx.AsyncClient, promoted: dict[str, str]
) -> None:
    body = asked(
        "HARVEST10", promotions=list(promoted.values()), quantities=[1, 0, 2], extras={"product-4": 4}
    )
    answer = (await shop.post("/demo/api/validations", json=body)).json()["answer"]
    items = {item["source_id"]: item for item in answer["order"]["items"]}
    assert {name: item["amount"] for name, item in items.items()} == {
        "product-1": 199, "product-3": 1904, "product-4": 512, "5h1pp1ng": 490,
    }  # fmt: skip
    assert items["product-4"]["discount_amount"] == 51
    given = {one["id"]: one["order"]["total_applied_discount_amount"] for one in answer["redeemables"]}
    assert given == {promoted["Greens"]: 51, promoted["The more, the less"]: 200, "HARVEST10": 285}


async def test_a_limit_is_used_by_a_redemption_and_given_back(
    shop: httpx.AsyncClient, promoted: dict[str, str]
) -> None:
    body = asked(promotions=[promoted["Deli counter"]], extras={"product-5": 1})
    made = (await shop.post("/demo/api/redemptions", json=body)).json()
    assert made["status"] == 200
    after = await promotion_counter(shop, "Deli counter")
    assert (after["redeemed"], after["today"], after["daily"], after["given"]) == (1, 1, 25, 150)
    redemption = made["answer"]["redemptions"][0]["id"]
    await shop.post(f"/demo/api/redemptions/{redemption}/rollback", json={"visit": VISIT})
    after = await promotion_counter(shop, "Deli counter")
    assert (after["redeemed"], after["today"], after["given"], after["rolled_back"]) == (0, 0, 0, 1)


async def test_only_how_promotions_are_put_together_may_be_changed_here(
    shop: httpx.AsyncClient, promoted: dict[str, str]
) -> None:
    async def rule() -> str:
        seen = await shop.post("/demo/api/validations", json=asked(promotions=list(promoted.values())))
        return seen.json()["answer"]["stacking_rules"]["redeemables_sorting_rule"]

    assert await rule() == "CATEGORY_HIERARCHY"
    assert (await shop.post("/demo/api/sorting", json={"rule": "BEST_DEAL"})).json() == {"rule": "BEST_DEAL"}
    assert await rule() == "BEST_DEAL"
    assert (await shop.post("/demo/api/sorting", json={"rule": "REQUESTED_ORDER"})).status_code == 400
    foreign = await shop.post(
        "/demo/api/sorting", json={"rule": "CATEGORY_HIERARCHY"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert foreign.status_code == 403
    assert await rule() == "BEST_DEAL"


async def test_a_single_use_code_is_used_up(shop: httpx.AsyncClient) -> None:
    first = (await shop.post("/demo/api/redemptions", json=asked("FIRSTONE"))).json()
    second = (await shop.post("/demo/api/redemptions", json=asked("FIRSTONE", visit="another-visit"))).json()
    assert (first["status"], second["status"]) == (200, 400)
    assert second["answer"]["key"] == "quantity_exceeded"


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Content-Type": "text/plain"}],
)
async def test_the_till_takes_nothing_from_another_site(
    shop: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    body = msgspec.json.encode(asked("HARVEST10"))
    sent = {"Content-Type": "application/json"} | headers
    answer = await shop.post("/demo/api/redemptions", content=body, headers=sent)
    assert answer.status_code in (403, 415)
    assert (await counter(shop, "HARVEST10"))["redeemed"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"basket": "nobody's", "codes": ["HARVEST10"], "visit": VISIT},
        {"basket": BASKET.id, "codes": [], "visit": VISIT},
        {"basket": BASKET.id, "codes": ["x"] * 31, "visit": VISIT},
        {"basket": BASKET.id, "codes": [""], "visit": VISIT},
        {"basket": BASKET.id, "codes": ["HARVEST10"], "visit": "../../v1"},
        asked("HARVEST10", promotions=["promo_0123456789012345678901"]),
        asked("HARVEST10", quantities=[1]),
        asked("HARVEST10", quantities=[0, 0, 0]),
        asked("HARVEST10", quantities=[1, 1, 100]),
        asked("HARVEST10", quantities=[1, 1, -1]),
        asked("HARVEST10", extras={"product-1": 1}),
        asked("HARVEST10", extras={"product-4": "many"}),
        {"basket": 7, "codes": "HARVEST10"},
        [],
        "HARVEST10",
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_reason(shop: httpx.AsyncClient, body: object) -> None:
    answer = await shop.post("/demo/api/redemptions", json=body)
    assert answer.status_code in (400, 404)
    assert answer.json()["key"] and answer.json()["message"]
    assert (await counter(shop, "HARVEST10"))["redeemed"] == 0


async def test_another_project_s_redemption_cannot_be_taken_back(
    shop: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    await stranger.post("/v1/vouchers/THEIRS", json={"discount": {"type": "AMOUNT", "amount_off": 100}})
    made = await stranger.post(
        "/v1/redemptions", json={"redeemables": [{"id": "THEIRS"}], "order": {"amount": 900}}
    )
    redemption = made.json()["redemptions"][0]["id"]
    answer = (await shop.post(f"/demo/api/redemptions/{redemption}/rollback", json={"visit": VISIT})).json()
    assert answer["status"] == 404
    assert (await stranger.get(f"/v1/redemptions/{redemption}")).json()["status"] == "SUCCEEDED"


async def test_the_till_is_no_part_of_the_api_s_document(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert "/v1/redemptions" in paths
    assert not [path for path in paths if path.startswith(("/demo", "/docs", "/assets"))]
