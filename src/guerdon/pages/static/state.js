// What the shop's scripts share: the state of the visit, elements, and requests to the till.

export const $ = (id) => document.getElementById(id);

export const state = {
  shop: null,
  basket: null,
  quantities: [],      // of the basket's lines
  extras: new Map(),   // from the shelf, by source id
  codes: [],           // typed, in the order they came
  unknown: new Map(),  // codes that there are not, with the answer's redeemable; they are not asked for again
  qualified: null,     // the API's answer: which promotions this basket may have
  seen: null,          // the API's answer: what promotions and codes come to together
  problem: "",         // what was wrong with the question itself
  paid: null,          // {id, answer, steps, returned: Set, back, all}
  visit: newVisit(),
  busy: false,
};

export function newVisit() {
  const random = crypto.getRandomValues(new Uint8Array(12));
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** An element; children may be elements or text, properties beginning with "on" are listeners. */
export function make(name, properties = {}, ...children) {
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

export async function call(path, body) {
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

/** A promotion of the shop by its id, or nothing for codes. */
export const promotion = (id) => state.shop.promotions.find((one) => one.id === id);

/** What a redeemable is called: a promotion by its name, a code by itself. */
export const titleOf = (id) => promotion(id)?.name ?? id;

/** A text of the API with names in the place of ids. */
export function named(text) {
  const names = [...Object.entries(state.shop.names), ...state.shop.promotions.map((one) => [one.id, one.name])];
  return names.reduce((said, [id, name]) => said.replaceAll(`${name} (${id})`, name).replaceAll(id, name), String(text));
}

const share = (amount, quantity, of) => Math.floor((2 * amount * quantity + of) / (2 * of));

/** Everything that is or was in the basket, as the till will see it; `index` is its line of the order, if it has one. */
export function goods() {
  const own = state.basket.lines.map((line, place) => ({
    key: `line ${place}`, line, quantity: state.quantities[place],
    amount: share(line.amount, state.quantities[place], line.quantity),
    set: (count) => { state.quantities[place] = count; },
  }));
  const more = state.shop.shelf.filter((line) => state.extras.has(line.source_id)).map((line) => ({
    key: `extra ${line.source_id}`, line, quantity: state.extras.get(line.source_id),
    amount: line.price * state.extras.get(line.source_id),
    set: (count) => { if (count) state.extras.set(line.source_id, count); else state.extras.delete(line.source_id); },
  }));
  const order = [...state.extras.keys()];
  more.sort((a, b) => order.indexOf(a.line.source_id) - order.indexOf(b.line.source_id));
  const delivery = state.shop.delivery;
  const last = delivery ? [{ key: "delivery", line: delivery, quantity: 1, amount: delivery.amount }] : [];
  let index = 0;
  return [...own, ...more, ...last].map((good) => ({ ...good, index: good.quantity ? index++ : null }));
}

export const isEmpty = () => !goods().some((good) => good.set && good.quantity);

/** The basket as requests name it. */
export const asked = () => ({
  basket: state.basket.id, visit: state.visit, quantities: state.quantities, extras: Object.fromEntries(state.extras),
});

/** Every redeemable of the last validation, with those codes that there are not. */
export function outcomes() {
  const seen = state.seen;
  const told = seen ? [...(seen.redeemables ?? []), ...(seen.skipped_redeemables ?? []), ...(seen.inapplicable_redeemables ?? [])] : [];
  return [...told, ...state.unknown.values()];
}

/** What applies, first applied first. */
export const applied = () => (state.seen?.redeemables ?? []).filter((one) => one.status === "APPLICABLE");

/** For each that applies: what it took off the order, and off each line. */
export function discounts() {
  return (state.paid?.steps ?? applied()).map((one) => ({
    id: one.id,
    title: titleOf(one.id),
    order: one.order?.applied_discount_amount ?? 0,
    lines: (one.order?.items ?? []).map((item) => item.applied_discount_amount ?? 0),
    total: one.order?.total_applied_discount_amount ?? 0,
  }));
}

export const orderSeen = () => state.paid?.answer.order ?? (applied().length ? state.seen.order : null);
