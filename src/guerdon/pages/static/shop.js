// The shop: a basket, promotions that apply by themselves, codes, a receipt. All it knows of discounts comes from the
// API's answers; what visitors type is only ever put in as text.

import { readCounters } from "./meters.js";
import { drawReceipt, householdName, timeOf } from "./receipt.js";
import { $, applied, asked, call, discounts, isEmpty, make, newVisit, orderSeen, outcomes, promotion, state } from "./state.js";
import { drawCertificate, drawHints, drawTickets, reasonOf, showWire } from "./why.js";
import { dollars } from "./words.js";

/** What became of paying and returning, said at the till. */
function say(text) { $("said").textContent = text; }

/** What became of a code, said where it was typed. */
function hear(text, refused = false) {
  $("heard").textContent = text;
  $("heard").classList.toggle("no", refused);
}

let queue = Promise.resolve();
let newest = null;

/** Acts happen one after the other, in the order of the clicks; none is lost and none overtakes. */
function working(act) {
  queue = queue.then(async () => {
    state.busy = true;
    document.body.setAttribute("aria-busy", "true");
    try {
      await act();
    } catch (problem) {
      say(problem.message || "The shop does not answer; is it still running?");
    } finally {
      state.busy = false;
      document.body.removeAttribute("aria-busy");
    }
  });
  return queue;
}

// ---- asking

/** Ask which promotions this basket may have, then what all and the codes come to together, and why. */
async function weigh() {
  state.qualified = state.seen = null;
  state.problem = "";
  const wires = [];
  const learned = async (path, body, learn) => {
    const wire = await call(path, body);
    wires.push(wire);
    if (wire.status === 200) learn(wire.answer);
    else state.problem = wire.answer.details ?? wire.answer.message;
  };
  const promotions = state.shop.promotions.map((one) => one.id);
  const codes = state.codes.filter((code) => !state.unknown.has(code));
  if (!isEmpty()) {
    if (promotions.length) await learned("qualifications", asked(), (answer) => { state.qualified = answer; });
    if (promotions.length || codes.length) await learned("validations", { ...asked(), promotions, codes }, learn);
  }
  if (wires.length) showWire(...wires);
  if (state.problem) say(state.problem);
  draw();
}

/** Take an answer in; codes that there are not are kept apart, for guesses are counted. */
function learn(answer) {
  for (const one of answer.inapplicable_redeemables ?? []) {
    if (one.result?.error?.key === "not_found") state.unknown.set(one.id, one);
  }
  state.seen = {
    ...answer,
    inapplicable_redeemables: (answer.inapplicable_redeemables ?? []).filter((one) => !state.unknown.has(one.id)),
  };
}

async function tryCode(code) {
  say("");
  if (state.paid) startOver(false);
  if (state.codes.includes(code)) { hear(`${code} is on this basket already.`); return; }
  state.codes = [...state.codes, code].slice(-12);
  newest = code;
  await weigh();
  const one = outcomes().find((each) => each.id === code);
  if (state.problem || !one) { hear(`${code}: ${state.problem || "put something into the basket first."}`, true); return; }
  const good = one.status === "APPLICABLE";
  hear(good ? `${code} takes ${dollars(discounts().find((each) => each.id === code).total)} off.` : `${code}: ${reasonOf(one)}`, !good);
}

async function removeCode(code) {
  state.codes = state.codes.filter((each) => each !== code);
  state.unknown.delete(code);
  hear(`${code} is off the basket.`);
  await weigh();
}

/** Another quantity of a line. */
async function change(row, count) {
  if (state.paid) return;
  say("");
  hear("");
  row.set(count);
  await weigh();
}

async function add(article, units) {
  if (state.paid) startOver(false);
  const own = state.basket.lines.findIndex((line) => line.source_id === article.source_id);
  if (own >= 0) state.quantities[own] = Math.min(99, state.quantities[own] + units);
  else state.extras.set(article.source_id, Math.min(99, (state.extras.get(article.source_id) ?? 0) + units));
  say(`${article.name} is in the basket.`);
  hear("");
  await weigh();
}

async function sortBy(rule) {
  const before = orderSeen()?.total_applied_discount_amount ?? 0;
  await call("sorting", { rule });
  hear("");
  await weigh();
  const now = orderSeen()?.total_applied_discount_amount ?? 0;
  const more = Math.abs(now - before);
  $("sorted").textContent = more ? `This basket saves ${dollars(more)} ${now > before ? "more" : "less"} this way.` : "It makes no difference to this basket.";
}

// ---- paying and returning

async function redeem() {
  if (state.paid || !applied().length) return;
  const ids = applied().map((one) => one.id);
  const body = { ...asked(), promotions: ids.filter((id) => promotion(id)), codes: ids.filter((id) => !promotion(id)) };
  const wire = await call("redemptions", body);
  showWire(wire);
  const answer = wire.answer;
  if (wire.status !== 200) {
    state.visit = newVisit();
    await weigh();
    say(`Not redeemed: ${answer.message}.`);
  } else {
    const parent = answer.parent_redemption ?? answer.redemptions[0];
    const steps = answer.redemptions.map((one) => ({
      id: one.promotion_tier?.id ?? one.voucher?.code ?? one.related_object_id, order: one.order, explain: one.explain,
    }));
    state.paid = { id: parent.id, answer, steps, returned: new Set(), back: 0, all: false };
    say(`Redeemed. ${dollars(answer.order.total_applied_discount_amount)} given; the counters moved.`);
    draw();
  }
  await count();
}

async function giveBack(items) {
  const paid = state.paid;
  if (!paid || paid.all || items?.some((index) => paid.returned.has(index))) return;
  const wire = await call(`redemptions/${encodeURIComponent(paid.id)}/rollback`, { visit: state.visit, items });
  showWire(wire);
  const answer = wire.answer;
  if (wire.status !== 200) { say(answer.details ?? answer.message); return; }
  const amount = (answer.rollbacks ?? [answer]).reduce((sum, one) => sum + Math.abs(one.amount ?? 0), 0);
  paid.back += amount;
  for (const index of items ?? []) paid.returned.add(index);
  const given = paid.answer.order.total_applied_discount_amount;
  paid.all = items === null || paid.back >= given;
  if (items === null) say(`All taken back: ${dollars(amount)} of discount, and what was used may be used again.`);
  else say(`Returned. ${dollars(amount)} of discount belonged to that line and went back with it.`);
  draw();
  await count();
}

const count = () => readCounters(new Set(state.codes));

function fresh(codes) {
  state.paid = null;
  state.visit = newVisit();
  state.quantities = state.basket.lines.map((line) => line.quantity);
  state.extras = new Map();
  state.codes = codes;
  state.unknown = new Map();
  newest = null;
  $("sorted").textContent = "";
  hear("");
}

function startOver(ask = true) {
  fresh([]);
  if (!ask) return undefined;
  say("A new visit.");
  $("code").focus();
  return weigh();
}

// ---- drawing

function draw() {
  const focus = document.activeElement?.dataset?.focus;
  drawSuggestions();
  drawReceipt((row, units) => working(() => change(row, units)), (items) => working(() => giveBack(items)));
  drawHints((article, units) => working(() => add(article, units)));
  drawActs();
  drawTickets((code) => working(() => removeCode(code)), newest);
  drawCertificate();
  drawSorting();
  if (focus && document.activeElement === document.body) refocus(focus);
}

/** Put the keyboard back where it was before its button was drawn anew, or next to it. */
function refocus(key) {
  const same = [...document.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === key && !each.disabled);
  const near = key.startsWith("out ") ? $("code")
    : key.startsWith("hint ") ? $("hints").querySelector("button") ?? $("receipt").querySelector("button")
    : key.startsWith("One less") ? [...document.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === key.replace("less", "more"))
    : $("acts").querySelector("button:not([disabled])");
  (same ?? near)?.focus({ preventScroll: true });
}

const worth = (basket) => basket.lines.reduce((sum, line) => sum + line.amount, 0);

function drawBaskets() {
  const radios = state.shop.baskets.map((basket, index) => {
    const input = make("input", {
      type: "radio", name: "basket", value: basket.id, checked: index === 0,
      onchange: () => working(() => choose(basket)),
    });
    const face = make("span", { class: "face" },
      make("b", {}, householdName(basket)),
      make("span", { class: "sum" }, dollars(worth(basket))),
      make("small", {}, basket.about, make("br"), `${basket.lines.length} ${basket.lines.length === 1 ? "line" : "lines"} · ${timeOf(basket.at)}`));
    return make("label", { class: "basket" }, input, face);
  });
  $("baskets").replaceChildren(...radios);
}

function choose(basket) {
  if (basket === state.basket) return undefined;
  const kept = state.paid ? [] : state.codes.filter((code) => isPublic(code));
  say("");
  state.basket = basket;
  fresh(kept);
  return weigh();
}

const isPublic = (code) => !state.shop.baskets.some((basket) => basket.codes.some((each) => each.code === code));

function drawShelf() {
  $("shelf").replaceChildren(...state.shop.shelf.map((line) => make("li", {}, make("button", {
    type: "button", class: "pick", "data-focus": `shelf ${line.source_id}`, "aria-label": `Add ${line.name}, ${dollars(line.price)}`,
    onclick: () => working(() => add(line, 1)),
  }, make("span", {}, line.name), make("small", {}, dollars(line.price))))));
  $("shelfbox").hidden = !state.shop.shelf.length;
}

function drawSuggestions() {
  const ended = (each) => each.ends && each.ends <= state.shop.now;
  const own = state.basket.codes;
  const of = (group) => state.shop.offers.filter((offer) => offer.group === group);
  const wide = (each) => ({ code: each.code, hint: ended(each) ? `${each.campaign}, over` : each.campaign, wide: true });
  const groups = [
    ["Good today", of("works")],
    ["Sent to this household, in a real campaign", own.map(wide)],
    ["At certain times", of("window")],
    ["Should be refused", [...of("refused"), { code: state.shop.mistyped, hint: "a typing mistake" }]],
  ];
  $("suggestions").replaceChildren(...groups.filter(([, codes]) => codes.length).map(([title, codes]) =>
    make("div", { class: codes.length > 3 ? "group fold" : "group" },
      make("h3", {}, title),
      make("ul", {}, ...codes.map(chip)))));
}

function chip(offer) {
  const typed = state.codes.includes(offer.code);
  const on = applied().some((one) => one.id === offer.code);
  const button = make("button", {
    type: "button", class: typed && !on ? "chip refused-now" : "chip", "aria-pressed": String(on), "data-focus": `chip ${offer.code}`,
    onclick: () => working(() => (state.codes.includes(offer.code) && !state.paid ? removeCode : tryCode)(offer.code)),
  }, make("b", {}, offer.code), make("span", {}, offer.hint));
  return make("li", { class: offer.wide ? "wide" : "" }, button);
}

function drawActs() {
  const acts = [];
  if (state.paid) {
    if (!state.paid.all) acts.push(make("button", { type: "button", class: "calm", id: "rollback", "data-focus": "acts", onclick: () => working(() => giveBack(null)) }, "Take it all back"));
    acts.push(make("button", { type: "button", class: "go", id: "again", "data-focus": "acts", onclick: () => working(() => startOver()) }, "Next customer"));
  } else {
    const ready = applied().length > 0;
    acts.push(make("button", {
      type: "button", class: "go", id: "redeem", "data-focus": "acts", disabled: !ready, onclick: () => working(redeem),
    }, ready ? `Redeem, and pay ${dollars(state.seen.order?.total_amount ?? 0)}` : "Redeem, once something applies"));
  }
  $("acts").replaceChildren(...acts);
}

function drawSorting() {
  const rule = (state.seen ?? state.qualified)?.stacking_rules?.redeemables_sorting_rule;
  $("sorting").hidden = !state.shop.promotions.length;
  for (const radio of document.querySelectorAll("input[name=sorting]")) {
    if (rule) radio.checked = radio.value === rule;
    radio.disabled = Boolean(state.paid);
  }
}

// ---- start

$("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = $("code").value.trim();
  if (!code) { $("code").focus(); return; }
  $("code").value = "";
  working(() => tryCode(code));
});
for (const radio of document.querySelectorAll("input[name=sorting]")) {
  radio.addEventListener("change", () => working(() => sortBy(radio.value)));
}

async function start() {
  state.shop = await call("shop");
  state.basket = state.shop.baskets[0];
  if (!state.basket) { say("The shop is still being stocked; come back in a moment."); return; }
  drawBaskets();
  drawShelf();
  fresh([]);
  draw();
  await working(weigh);
  await count();
  setInterval(() => {
    if (document.visibilityState === "visible" && !state.busy) count().catch(() => {});
  }, 4000);
}

start().catch((problem) => say(problem.message));
