"""The shop as a visitor uses it."""

import pytest
from playwright.async_api import Locator, Page, expect

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


def line(page: Page, source_id: str) -> Locator:
    """A line of the receipt."""
    return page.locator(f'.line[data-line="{source_id}"]')


def ticket(page: Page, title: str) -> Locator:
    """What is told of a promotion or code that applies, or would."""
    return page.locator(f'.ticket[data-id="{title}"]')


def hint(page: Page, promotion: str) -> Locator:
    """What to add for a promotion."""
    return page.locator(f'#hints li[data-promotion="{promotion}"]')


async def test_type_a_code_redeem_it_and_take_it_back(page: Page) -> None:
    await open_shop(page)
    await type_code(page, "EVERYLINE")
    await expect(page.locator("#heard")).to_have_text("EVERYLINE takes $1.00 off.")
    await expect(page.locator(".line .off")).to_have_count(4)
    await expect(line(page, "product-1").locator(".off")).to_contain_text("−$0.25")
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


async def test_a_promotion_says_what_to_add_and_then_applies_by_itself(page: Page) -> None:
    await open_shop(page)
    await expect(hint(page, "Greens")).to_contain_text("Add 3 more of Produce")
    await hint(page, "Greens").get_by_role("button").click()
    await expect(line(page, "product-4").locator(".off")).to_contain_text("Greens")
    await expect(line(page, "product-4").locator(".off")).to_contain_text("−$0.38")
    await expect(ticket(page, "The more, the less")).to_contain_text("−$2.00")
    await ticket(page, "The more, the less").locator("summary").click()
    await expect(ticket(page, "The more, the less")).to_contain_text("MIN(0.25 * ORDER_UNITS_QUANTITY; 4)")
    await expect(page.locator(".sums .pay dd")).to_have_text("$22.36")
    await page.get_by_role("button", name="One less Bananas").click()
    await expect(hint(page, "Greens")).to_contain_text("Add 1 more of Produce")
    await expect(line(page, "product-4").locator(".off")).to_have_count(0)
    await expect(page.locator(".others li", has_text="Greens")).to_contain_text("1 more of Produce")


async def test_the_counters_of_limits_move_and_come_back(page: Page) -> None:
    await open_shop(page)
    await page.get_by_role("button", name="Add Sliced turkey").click()
    await page.get_by_role("button", name="Add White bread, $2.00").click()
    await expect(line(page, "product-5").locator(".off")).to_contain_text("Deli counter")
    await expect(line(page, "product-6").locator(".off")).to_contain_text("−$0.40")
    deli = page.locator('.meter[data-code="Deli counter"]')
    bread = page.locator('.meter[data-code="Fresh bread"]')
    await expect(deli.locator(".limit")).to_have_text("0 of 25 today")
    await page.get_by_role("button", name="Redeem, and pay $24.50").click()
    await expect(page.locator(".stamp")).to_have_text("redeemed")
    await expect(deli.locator(".limit")).to_have_text("1 of 25 today")
    await expect(bread.locator(".limit")).to_have_text("$0.40 of $100.00")
    await page.get_by_role("button", name="Take it all back").click()
    await expect(page.locator(".stamp")).to_have_text("taken back")
    await expect(deli.locator(".limit")).to_have_text("0 of 25 today")
    await expect(bread.locator(".limit")).to_have_text("$0.00 of $100.00")


async def test_what_loses_in_stacking_says_to_what_and_the_best_deal_is_proved(page: Page) -> None:
    await open_shop(page)
    for _ in range(9):
        await page.get_by_role("button", name="Add Cheese, $6.00").click()
    await expect(line(page, "product-7").locator(".units")).to_have_text("9")
    await type_code(page, "HARVEST10")
    await type_code(page, "FIVER")
    await expect(ticket(page, "Solo fifteen").locator("strong")).to_have_text("−$10.00")
    await expect(ticket(page, "FIVER").locator("strong")).to_have_text("stands back")
    await expect(ticket(page, "FIVER").locator(".reason")).to_contain_text("Solo fifteen applies")
    try:
        await page.get_by_label("as the customer's best deal").check()
        await expect(page.locator("#sorted")).to_contain_text("more this way")
        await expect(page.locator("#proof")).to_contain_text("none takes off more than")
        await expect(ticket(page, "FIVER").locator("strong")).to_have_text("−$5.00")
        await expect(ticket(page, "Solo fifteen").locator(".reason")).to_contain_text(
            "no combination with Solo fifteen"
        )
    finally:
        await page.get_by_label("by category").check()
        await expect(ticket(page, "Solo fifteen").locator("strong")).to_have_text("−$10.00")


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
    more = page.get_by_role("button", name="One more Milk")
    await more.focus()
    await page.keyboard.press("Enter")
    await expect(line(page, "product-1").locator(".units")).to_have_text("3")
    await expect(more).to_be_focused()
    less = page.get_by_role("button", name="One less Milk")
    await less.focus()
    for left in ("2", "1", "0"):
        await page.keyboard.press("Enter")
        await expect(line(page, "product-1").locator(".units")).to_have_text(left)
    await expect(more).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(line(page, "product-1").locator(".units")).to_have_text("1")
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
    await page.get_by_role("button", name="Add Cheese, $6.00").click()
    for code in ("HARVEST10", "A" * 300):
        await type_code(page, code)
    await expect(page.locator(".ticket.no")).to_be_visible()
    wide, screen = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= screen


async def test_the_docs_list_the_operations(page: Page) -> None:
    await page.goto("/docs")
    await page.get_by_role("button", name="Expand operation").first.wait_for(timeout=20_000)
    assert await page.locator(".opblock-tag").count() > 15
    await page.locator("#operations-tag-Redemptions").click()
    await expect(page.get_by_text("/v1/redemptions", exact=True).first).to_be_visible()
    wide, screen = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= screen


async def test_without_its_viewer_the_docs_are_a_plain_list(page: Page) -> None:
    empty = {"content_type": "text/javascript", "body": ""}
    await page.route("**/swagger-ui-bundle.js", lambda route: route.fulfill(**empty))
    await page.goto("/docs")
    await expect(page.locator(".operation code", has_text="/v1/redemptions").first).to_be_visible()
    assert await page.locator(".operation").count() > 40
