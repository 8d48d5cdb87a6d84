// The shop: a basket, codes, a receipt. All it knows of money comes from the API's answers; what visitors type is
// only ever put in as text.

import { ASKED, dollars, less, sides, told, words } from "./words.js";

const $ = (id) => document.getElementById(id);

const state = {
  shop: null,
  basket: null,
  accepted: [],   // codes that apply together, in the order they came
  refused: [],    // {code, explain, error}, the newest first
  seen: null,     // the API's last valid answer for the accepted codes
  paid: null,     // {id, answer, returned:Set, back, all}
  visit: newVisit(),
  busy: false,
  counters: new Map(),
};

function newVisit() {
  const random = crypto.getRandomValues(new Uint8Array(12));
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** An element; children may be elements or text, properties beginning with "on" are listeners. */
function make(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

async function call(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const answer = await fetch(`/demo/api/${path}`, options);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.details ?? content.message ?? `The shop answered ${answer.status}.`);
  return content;
}

/** What became of paying and returning, said at the till. */
function say(text) { $("said").textContent = text; }

/** What became of a code, said where it was typed. */
function hear(text, refused = false) {
  $("heard").textContent = text;
  $("heard").classList.toggle("no", refused);
}

let queue = Promise.resolve();

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

// ---- codes

function asked(codes) { return { basket: state.basket.id, codes, visit: state.visit }; }

/** Validate codes; answers the API's answer, and the redeemable that stood in the way if one did. */
async function validate(codes) {
  const wire = await call("validations", asked(codes));
  showWire(wire);
  const answer = wire.answer;
  if (wire.status !== 200) return { answer: null, stopped: { id: codes[codes.length - 1], error: answer } };
  if (answer.valid) return { answer, stopped: null };
  const one = (answer.inapplicable_redeemables ?? answer.redeemables)[0] ?? answer.skipped_redeemables[0];
  const error = one.result?.error ?? one.result?.details ?? { message: "It does not apply." };
  return { answer: null, stopped: { id: one.id, error, explain: one.explain } };
}

function refuse(stopped) {
  state.refused = [stopped, ...state.refused.filter((each) => each.id !== stopped.id)].slice(0, 6);
}

async function tryCode(code) {
  say("");
  if (state.paid) startOver(false);
  if (state.accepted.includes(code)) { hear(`${code} is on this basket already.`); return; }
  state.refused = state.refused.filter((each) => each.id !== code);
  const tried = [...state.accepted, code];
  const { answer, stopped } = await validate(tried);
  if (answer) {
    state.accepted = tried;
    state.seen = answer;
    const off = answer.redeemables.find((each) => each.id === code)?.order?.total_applied_discount_amount ?? 0;
    hear(`${code} takes ${dollars(off)} off.`);
  } else {
    refuse(stopped);
    hear(`${stopped.id}: ${plainReason(stopped)}`, true);
  }
  draw();
}

/** Ask again for the codes that stand; those that do not apply any more fall out, with their reason. */
async function revalidate() {
  state.seen = null;
  while (state.accepted.length) {
    const { answer, stopped } = await validate(state.accepted);
    if (answer) { state.seen = answer; break; }
    const left = state.accepted.filter((code) => code !== stopped.id);
    if (left.length === state.accepted.length) left.pop();
    state.accepted = left;
    refuse(stopped);
  }
  draw();
}

async function removeCode(code) {
  state.refused = state.refused.filter((each) => each.id !== code);
  if (state.accepted.includes(code)) {
    state.accepted = state.accepted.filter((each) => each !== code);
    hear(`${code} is off the basket.`);
    await revalidate();
  }
  draw();
}

// ---- paying and returning

async function redeem() {
  if (state.paid || !state.accepted.length) return;
  const wire = await call("redemptions", asked(state.accepted));
  showWire(wire);
  const answer = wire.answer;
  if (wire.status !== 200) {
    const one = answer.inapplicable_redeemables?.[0];
    refuse({ id: answer.redeemable_id ?? answer.resource_id ?? state.accepted[0], error: answer, explain: one?.explain });
    say(`Not redeemed: ${answer.message}.`);
    state.visit = newVisit();
    const bad = answer.redeemable_id ?? answer.resource_id;
    state.accepted = state.accepted.filter((code) => code !== bad);
    await revalidate();
    await readCounters();
    return;
  }
  const parent = answer.parent_redemption ?? answer.redemptions[0];
  state.paid = { id: parent.id, answer, returned: new Set(), back: 0, all: false };
  say(`Redeemed. ${dollars(answer.order.total_applied_discount_amount)} given; the counters below moved.`);
  draw();
  await readCounters();
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
  if (items === null) say(`All taken back: ${dollars(amount)} of discount, and the code may be used again.`);
  else say(`Returned. ${dollars(amount)} of discount belonged to that line and went back with it.`);
  draw();
  await readCounters();
}

function startOver(redraw = true) {
  state.paid = null;
  state.visit = newVisit();
  state.accepted = [];
  state.refused = [];
  state.seen = null;
  hear("");
  if (redraw) { say("A new visit."); draw(); $("code").focus(); }
}

// ---- drawing

function draw() {
  const focus = document.activeElement?.dataset?.focus;
  drawSuggestions();
  drawReceipt();
  drawActs();
  drawTickets();
  if (focus && document.activeElement === document.body) refocus(focus);
}

/** Put the keyboard back where it was before its button was drawn anew, or next to it. */
function refocus(key) {
  const same = [...document.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === key);
  const near = key.startsWith("out ") ? $("code") : $("acts").querySelector("button:not([disabled])");
  (same ?? near)?.focus({ preventScroll: true });
}

function drawBaskets() {
  const radios = state.shop.baskets.map((basket, index) => {
    const input = make("input", {
      type: "radio", name: "basket", value: basket.id, checked: index === 0,
      onchange: () => working(() => choose(basket)),
    });
    const face = make("span", { class: "face" },
      make("b", {}, householdName(basket)),
      make("span", { class: "sum" }, dollars(goods(basket))),
      make("small", {}, basket.about, make("br"), `${basket.lines.length} ${basket.lines.length === 1 ? "line" : "lines"} · ${timeOf(basket.at)}`));
    return make("label", { class: "basket" }, input, face);
  });
  $("baskets").replaceChildren(...radios);
}

const householdName = (basket) => basket.household.replace("household-", "Household ");
const goods = (basket) => basket.lines.reduce((sum, line) => sum + line.amount, 0);
const timeOf = (at) => at.slice(11, 16);

function choose(basket) {
  if (basket === state.basket) return;
  hear("");
  say("");
  state.basket = basket;
  if (state.paid) { state.paid = null; state.visit = newVisit(); state.accepted = []; state.refused = []; state.seen = null; }
  state.accepted = state.accepted.filter((code) => isPublic(code));
  state.refused = [];
  draw();
  return state.accepted.length ? revalidate() : undefined;
}

const isPublic = (code) => !state.shop.baskets.some((basket) => basket.codes.some((each) => each.code === code));

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
  const on = state.accepted.includes(offer.code);
  const no = state.refused.some((each) => each.id === offer.code);
  const button = make("button", {
    type: "button", class: no ? "chip refused-now" : "chip", "aria-pressed": String(on), "data-focus": `chip ${offer.code}`,
    onclick: () => working(() => (state.accepted.includes(offer.code) && !state.paid ? removeCode : tryCode)(offer.code)),
  }, make("b", {}, offer.code), make("span", {}, offer.hint));
  return make("li", { class: offer.wide ? "wide" : "" }, button);
}

/** The order as the API sees it, or the basket as it is while no code stands. */
function shownItems() {
  const order = state.paid?.answer.order ?? state.seen?.order;
  if (order) return order.items;
  const lines = state.shop.delivery ? [...state.basket.lines, state.shop.delivery] : state.basket.lines;
  return lines.map((line) => ({ source_id: line.source_id, quantity: line.quantity, amount: line.amount, product: line }));
}

/** For each code: what it took off the order, and off each line. */
function discounts() {
  const redeemed = state.paid?.answer.redemptions.map((one) => ({ id: one.voucher?.code ?? one.related_object_id, order: one.order }));
  const redeemables = redeemed ?? state.seen?.redeemables ?? [];
  const steps = state.steps?.length === redeemables.length ? state.steps : null;
  return redeemables.map((one, index) => {
    const order = steps?.[index] ?? one.order ?? {};
    return {
      code: one.id,
      order: order.applied_discount_amount ?? 0,
      lines: (order.items ?? []).map((item) => item.applied_discount_amount ?? 0),
      total: order.total_applied_discount_amount ?? 0,
    };
  });
}

function drawReceipt() {
  if (!state.paid) state.steps = state.seen?.redeemables.map((one) => one.order) ?? [];
  const codes = discounts();
  const notes = new Map(state.basket.lines.map((line) => [line.source_id, line.note]));
  const items = shownItems();
  const rows = items.map((item, index) => line(item, index, codes, notes));
  const amount = items.reduce((sum, item) => sum + item.amount, 0);
  const saved = codes.reduce((sum, code) => sum + code.total, 0);
  const sums = make("dl", { class: "sums" },
    sum("Goods and delivery", dollars(amount)),
    ...codes.filter((code) => code.order).map((code) => sum(code.code, less(code.order), "minus new")),
    saved ? sum("Saved in all", dollars(saved), "was") : null,
    ...ending(items, amount - saved));
  const head = make("header", {},
    make("h2", {}, "Corner shop"),
    make("p", {}, householdName(state.basket), make("br"), dayOf(state.basket.at)));
  const list = make("ul", { class: state.paid && !state.paid.all ? "lines returnable" : "lines" }, ...rows);
  $("receipt").replaceChildren(...[head, stamp(), list, sums].filter(Boolean));
}

/** The last rows of the receipt: what there is to pay, or what became of it. */
function ending(items, toPay) {
  const paid = state.paid;
  if (!paid) return [sum("To pay", dollars(toPay), "pay")];
  if (paid.all) return [sum("Discount taken back", dollars(paid.back), "back new"), sum("Canceled", dollars(0), "pay")];
  if (!paid.returned.size) return [sum("Paid", dollars(toPay), "pay")];
  const goodsBack = items.reduce((total, item, index) => total + (paid.returned.has(index) ? item.amount : 0), 0);
  return [
    sum("Goods returned", less(goodsBack), "back new"),
    sum("Their discount, taken back", dollars(paid.back), "back new"),
    sum("Paid in the end", dollars(toPay - goodsBack + paid.back), "pay"),
  ];
}

function stamp() {
  if (!state.paid) return null;
  return make("span", { class: state.paid.all ? "stamp back new" : "stamp new" }, state.paid.all ? "taken back" : "redeemed");
}

const dayOf = (at) => new Date(`${at}:00Z`).toLocaleDateString("en-GB", {
  weekday: "short", day: "numeric", month: "short", timeZone: "UTC",
}) + `, ${timeOf(at)}`;

function sum(label, value, kind = "") { return make("div", { class: kind }, make("dt", {}, label), make("dd", {}, value)); }

function line(item, index, codes, notes) {
  const name = item.product?.name ?? item.source_id ?? "Article";
  const offs = codes.filter((code) => code.lines[index]).map((code) =>
    make("span", { class: "off new" }, make("code", {}, code.code), make("span", {}, less(code.lines[index]))));
  const note = notes.get(item.source_id);
  const gone = state.paid?.returned.has(index);
  const may = state.paid && !state.paid.all && !gone && item.source_id !== state.shop.delivery?.source_id;
  return make("li", { class: gone ? "line gone" : "line" },
    make("span", { class: "what" }, make("i", {}, `${item.quantity} × `), name),
    make("span", { class: "price" }, dollars(item.amount)),
    note ? make("span", { class: "note" }, note) : null,
    ...offs,
    may ? make("button", {
      type: "button", class: "return", "data-focus": `return ${index}`, "aria-label": `Return ${name}`, onclick: () => working(() => giveBack([index])),
    }, "Return") : null);
}

function drawActs() {
  const acts = [];
  if (state.paid) {
    if (!state.paid.all) acts.push(make("button", { type: "button", class: "calm", id: "rollback", "data-focus": "acts", onclick: () => working(() => giveBack(null)) }, "Take it all back"));
    acts.push(make("button", { type: "button", class: "go", id: "again", "data-focus": "acts", onclick: () => startOver() }, "Next customer"));
  } else {
    acts.push(make("button", {
      type: "button", class: "go", id: "redeem", "data-focus": "acts", disabled: !state.accepted.length, onclick: () => working(redeem),
    }, state.accepted.length ? `Redeem, and pay ${dollars(state.seen?.order?.total_amount ?? 0)}` : "Redeem, once a code applies"));
  }
  $("acts").replaceChildren(...acts);
}

// ---- why

const zone = () => state.shop.timezone;

function plainReason(stopped) { return `${(stopped.error.message ?? "it does not apply").replace(/\.$/, "")}.`; }

function checks(explain) {
  if (!explain?.checks?.length) return null;
  const rows = explain.checks.map((one) => {
    const ok = one.outcome === "passed";
    return make("li", { class: one.outcome },
      make("span", { class: "tick", "aria-hidden": "true" }, ok ? "✓" : "✗"),
      make("span", {}, ASKED[one.check] ?? words(one.check), make("span", { class: "skip" }, ok ? " (passed)" : " (failed)")),
      sides(one, zone()) ? make("small", {}, sides(one, zone())) : null);
  });
  return make("ul", { class: "checks" }, ...rows);
}

function reckoning(explain) {
  if (!explain?.discount?.length) return null;
  const items = shownItems();
  const rows = explain.discount.map((step) => {
    const where = Number.isInteger(step.line) ? `${items[step.line]?.product?.name ?? `Line ${step.line + 1}`}: ` : "";
    return make("li", {}, make("span", { class: "tick", "aria-hidden": "true" }, "="), make("span", {}, where + told(step)));
  });
  return make("ul", { class: "checks" }, ...rows);
}

function drawTickets() {
  const codes = discounts();
  const kept = state.seen?.redeemables ?? [];
  const good = codes.map((code) => {
    const explain = kept.find((one) => one.id === code.code)?.explain;
    return make("article", { class: "ticket" },
      make("div", { class: "ticket-head" },
        make("code", {}, code.code), make("strong", {}, less(code.total)), state.paid ? null : outButton(code.code)),
      explain ? make("details", {}, make("summary", {}, "How it came about"), reckoning(explain), checks(explain)) : null);
  });
  const bad = state.refused.map((one) =>
    make("article", { class: "ticket no" },
      make("div", { class: "ticket-head" }, make("code", {}, one.id), make("strong", {}, "refused"), outButton(one.id)),
      make("p", { class: "reason" }, plainReason(one)),
      one.explain ? make("details", { open: state.refused[0] === one }, make("summary", {}, "Every check"), checks(one.explain)) : null));
  const all = [...good, ...bad];
  $("tickets").replaceChildren(...(all.length ? all : [make("p", { class: "quiet" }, "Each code that you try is explained here, check by check.")]));
}

function outButton(code) {
  return make("button", { type: "button", class: "out", "data-focus": `out ${code}`, "aria-label": `Remove ${code}`, onclick: () => working(() => removeCode(code)) }, "×");
}

function showWire(wire) {
  $("wire").hidden = false;
  $("wirebody").replaceChildren(
    make("h3", {}, `POST ${wire.path}`), make("pre", { tabindex: "0" }, JSON.stringify(wire.request, null, 2)),
    make("h3", {}, `answered ${wire.status}`), make("pre", { tabindex: "0" }, JSON.stringify(wire.answer, null, 2)));
}

// ---- counters

let allCounters = false;

async function readCounters() {
  const { campaigns, refused } = await call("counters");
  const first = state.counters.size === 0;
  const mine = new Set([...state.accepted, ...state.refused.map((one) => one.id)]);
  const cards = campaigns.map((one) => {
    const before = state.counters.get(one.id);
    const touched = !first && before !== undefined && before !== one.redeemed;
    state.counters.set(one.id, one.redeemed);
    return { one, touched, mine: mine.has(one.code) };
  });
  const shown = allCounters ? cards : cards.slice(0, 12).concat(cards.slice(12).filter((card) => card.touched || card.mine));
  $("counters").replaceChildren(...shown.map(meter));
  const given = campaigns.reduce((sum, one) => sum + one.given, 0);
  const redeemed = campaigns.reduce((sum, one) => sum + one.redeemed, 0);
  $("totals").textContent = `${redeemed.toLocaleString("en-US")} redemptions stand, ${dollars(given)} given${refused ? `, ${refused.toLocaleString("en-US")} refused at the till` : ""}.`;
  $("counters").nextElementSibling?.remove();
  if (cards.length > shown.length) {
    $("counters").after(make("button", { type: "button", class: "more", onclick: () => { allCounters = true; readCounters(); } }, `Show all ${cards.length}`));
  }
}

function meter({ one, touched }) {
  const alone = one.type === "STANDALONE";
  const codes = alone ? one.code : `${one.codes.toLocaleString("en-US")} codes, one a household`;
  const limit = alone && one.quantity ? `, at most ${one.quantity} ×` : "";
  return make("article", { class: touched ? "meter touched" : "meter", "data-code": alone ? one.code : "" },
    make("span", { class: "count" }, one.redeemed.toLocaleString("en-US")),
    make("span", { class: "name" }, one.name),
    make("span", { class: "code" }, codes + limit),
    make("span", { class: one.given ? "given" : "given none" }, one.given ? less(one.given) : "–"));
}

// ---- start

$("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = $("code").value.trim();
  if (!code) { $("code").focus(); return; }
  $("code").value = "";
  working(() => tryCode(code));
});

async function start() {
  state.shop = await call("shop");
  state.basket = state.shop.baskets[0];
  if (!state.basket) { say("The shop is still being stocked; come back in a moment."); return; }
  drawBaskets();
  draw();
  await readCounters();
  setInterval(() => {
    if (document.visibilityState === "visible" && !state.busy) readCounters().catch(() => {});
  }, 4000);
}

start().catch((problem) => say(problem.message));
