"""The shop as a visitor uses it."""

import pytest
from playwright.async_api import Page, expect

from .conftest import NASTY

pytestmark = pytest.mark.browser


async def open_shop(page: Page) -> None:
    answer = await page.goto("/demo")
    assert answer is not None and "script-src 'self'" in answer.headers["content-security-policy"]
    await expect(page.locator(".meter").first).to_be_visible()


async def type_code(page: Page, code: str) -> None:
    await page.get_by_label("Try a code").fill(code)
    await page.keyboard.press("Enter")


async def redeemed(page: Page, code: str) -> int:
    return int(await page.locator(f'.meter[data-code="{code}"] .count').inner_text())


async def test_type_a_code_redeem_it_and_take_it_back(page: Page) -> None:
    await open_shop(page)
    await type_code(page, "EVERYLINE")
    await expect(page.locator("#heard")).to_have_text("EVERYLINE takes $1.00 off.")
    await expect(page.locator(".line .off")).to_have_count(4)
    await expect(page.locator(".line").first.locator(".off")).to_contain_text("−$0.25")
    await expect(page.locator(".sums .pay dd")).to_have_text("$19.90")
    before = await redeemed(page, "EVERYLINE")
    await page.get_by_role("button", name="Redeem, and pay $19.90").click()
    await expect(page.locator(".stamp")).to_have_text("redeemed")
    await expect(page.locator('.meter[data-code="EVERYLINE"] .count')).to_have_text(str(before + 1))
    await page.get_by_role("button", name="Return Milk").click()
    await expect(page.locator("#said")).to_contain_text("$0.25 of discount")
    await expect(page.locator('.meter[data-code="EVERYLINE"] .count')).to_have_text(str(before + 1))
    await page.get_by_role("button", name="Take it all back").click()
    await expect(page.locator(".stamp")).to_have_text("taken back")
    await expect(page.locator('.meter[data-code="EVERYLINE"] .count')).to_have_text(str(before))


async def test_a_refusal_says_why_and_leaves_the_other_codes_alone(page: Page) -> None:
    await open_shop(page)
    await type_code(page, "HARVEST10")
    await expect(page.locator(".sums .minus")).to_contain_text("HARVEST10")
    await page.get_by_role("button", name="SUMMER25").click()
    refused = page.locator(".ticket.no")
    await expect(refused.locator("code")).to_have_text("SUMMER25")
    await expect(refused.locator(".checks .failed")).to_contain_text("It has not ended")
    await expect(page.locator(".sums .minus")).to_contain_text("HARVEST10")
    await page.get_by_role("button", name="Remove SUMMER25").click()
    await expect(refused).to_have_count(0)


async def test_what_a_visitor_types_and_what_is_stored_is_shown_as_text(page: Page) -> None:
    await open_shop(page)
    await expect(page.locator(".line").nth(1)).to_contain_text(NASTY)
    await expect(page.locator("#baskets")).to_contain_text(NASTY)
    for code in ("<script>alert(2)</script>", '"><svg onload=alert(3)>', "{{7*7}}", "javascript:alert(4)"):
        await type_code(page, code)
        await expect(page.locator("#heard")).to_contain_text(code)
        await expect(page.locator(".ticket.no code").first).to_have_text(code)
    assert await page.locator("main img, main svg, main script").count() == 0


async def test_the_keyboard_alone_will_do(page: Page) -> None:
    await open_shop(page)
    await page.locator("#baskets input").first.focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator(".paper header")).to_contain_text("Household 67")
    chip = page.get_by_role("button", name="FIVER $5 off")
    await chip.focus()
    await page.keyboard.press("Enter")
    await expect(chip).to_have_attribute("aria-pressed", "true")
    await expect(chip).to_be_focused()
    await page.locator("#redeem").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".stamp")).to_have_text("redeemed")
    await expect(page.locator("#rollback")).to_be_focused()


async def test_nothing_is_wider_than_the_screen(page: Page) -> None:
    await open_shop(page)
    for code in ("HARVEST10", "A" * 300):
        await type_code(page, code)
    await expect(page.locator(".ticket.no")).to_be_visible()
    wide, screen = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= screen


async def test_the_docs_list_the_operations(page: Page) -> None:
    await page.goto("/docs")
    await expect(page.get_by_text("/v1/redemptions", exact=True).first).to_be_visible()
    assert await page.locator(".opblock, .operation").count() > 40
    wide, screen = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= screen


async def test_without_its_viewer_the_docs_are_a_plain_list(page: Page) -> None:
    empty = {"content_type": "text/javascript", "body": ""}
    await page.route("**/swagger-ui-bundle.js", lambda route: route.fulfill(**empty))
    await page.goto("/docs")
    await expect(page.locator(".operation code", has_text="/v1/redemptions").first).to_be_visible()
    assert await page.locator(".operation").count() > 40
