// The receipt: lines with what is taken off each, and what there is to pay.

import { $, discounts, goods, make, orderSeen, state } from "./state.js";
import { dollars, less } from "./words.js";

export const householdName = (basket) => basket.household.replace("household-", "Household ");
export const timeOf = (at) => at.slice(11, 16);

const dayOf = (at) => new Date(`${at}:00Z`).toLocaleDateString("en-GB", {
  weekday: "short", day: "numeric", month: "short", timeZone: "UTC",
}) + `, ${timeOf(at)}`;

/** The lines to show: the basket's, then those that a promotion put in. */
function rows() {
  const items = orderSeen()?.items ?? [];
  const own = goods().map((good) => ({ ...good, amount: items[good.index]?.amount ?? good.amount }));
  const count = own.filter((good) => good.index !== null).length;
  const given = items.slice(count).map((item, place) => ({
    key: `given ${place}`, index: count + place, quantity: item.quantity, amount: item.amount ?? 0,
    line: { source_id: item.source_id, name: item.product?.name ?? item.source_id ?? "Article", note: "put in by a promotion" },
  }));
  return [...own, ...given];
}

export function drawReceipt(change, giveBack) {
  const taken = discounts();
  const shown = rows().filter((row) => !state.paid || row.index !== null);
  const amount = shown.reduce((sum, row) => sum + row.amount, 0);
  const saved = taken.reduce((sum, one) => sum + one.total, 0);
  const sums = make("dl", { class: "sums" },
    sum("Goods and delivery", dollars(amount)),
    ...taken.filter((one) => one.order).map((one) => sum(one.title, less(one.order), "minus")),
    saved ? sum("Saved in all", dollars(saved), "was") : null,
    ...ending(shown, amount - saved));
  const head = make("header", {},
    make("h2", {}, "Corner shop"),
    make("p", {}, householdName(state.basket), make("br"), dayOf(state.basket.at)));
  const list = make("ul", { class: state.paid ? "lines" : "lines open" }, ...shown.map((row) => lineOf(row, taken, change, giveBack)));
  $("receipt").replaceChildren(...[head, stamp(), list, sums].filter(Boolean));
}

/** The last rows of the receipt: what there is to pay, or what became of it. */
function ending(shown, toPay) {
  const paid = state.paid;
  if (!paid) return [sum("To pay", dollars(toPay), "pay")];
  if (paid.all) return [sum("Discount taken back", dollars(paid.back), "back new"), sum("Canceled", dollars(0), "pay")];
  if (!paid.returned.size) return [sum("Paid", dollars(toPay), "pay")];
  const goodsBack = shown.reduce((total, row) => total + (paid.returned.has(row.index) ? row.amount : 0), 0);
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

function sum(label, value, kind = "") { return make("div", { class: kind }, make("dt", {}, label), make("dd", {}, value)); }

function lineOf(row, taken, change, giveBack) {
  const { line, index } = row;
  const offs = taken.filter((one) => one.lines[index]).map((one) =>
    make("span", { class: "off" }, make("span", {}, one.title), make("span", {}, less(one.lines[index]))));
  const gone = state.paid ? state.paid.returned.has(index) : !row.quantity;
  const may = state.paid && !state.paid.all && !gone && row.set;
  return make("li", { class: gone ? "line gone" : "line", "data-line": line.source_id },
    state.paid || !row.set ? make("span", { class: "units" }, `${row.quantity} ×`) : stepper(row, change),
    make("span", { class: "what" }, line.name),
    make("span", { class: "price" }, dollars(row.amount)),
    line.note ? make("span", { class: "note" }, line.note) : null,
    ...offs,
    may ? make("button", {
      type: "button", class: "return", "data-focus": `return ${index}`, "aria-label": `Return ${line.name}`, onclick: () => giveBack([index]),
    }, "Return") : null);
}

/** Buttons for one less and one more of a line. */
function stepper(row, change) {
  const step = (sign, label, count, off) => make("button", {
    type: "button", "aria-label": `${label} ${row.line.name}`, "data-focus": `${label} ${row.key}`, disabled: off,
    onclick: () => change(row, count),
  }, sign);
  return make("span", { class: "stepper" },
    step("−", "One less", row.quantity - 1, row.quantity < 1),
    make("span", { class: "units" }, String(row.quantity)),
    step("+", "One more", row.quantity + 1, row.quantity > 98));
}
