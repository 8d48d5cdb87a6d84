// Why each promotion and code does what it does: what applied and how, what lost and to what, what is missing.

import { $, applied, discounts, make, named, outcomes, promotion, state, titleOf } from "./state.js";
import { asks, dollars, less, sides, spoken, told, words } from "./words.js";

const zone = () => state.shop.timezone;

/** Why something does not apply, in one sentence. */
export function reasonOf(one) {
  const error = one.result?.error;
  const said = error?.error?.message ?? one.result?.details?.message ?? error?.message ?? "It does not apply";
  return `${spoken(named(said).replace(/\.$/, ""), zone())}.`;
}

const hintOf = (hint) => (hint ? spoken(words(named(hint)), zone()) : "");
const nearest = (one) => hintOf(one.explain?.nearest_change);

// ---- what to add

const mayHave = () => new Set((state.qualified?.redeemables.data ?? []).map((one) => one.id));

/** The promotions that this basket may not have yet, as the qualification tells of them, or else the validation. */
function missed() {
  const fit = mayHave();
  const told = new Map(outcomes().map((one) => [one.id, one]));
  for (const one of state.qualified?.inapplicable ?? []) {
    told.set(one.id, { id: one.id, status: "INAPPLICABLE", result: { details: one }, explain: one });
  }
  return state.shop.promotions.map((one) => told.get(one.id)).filter((one) => one && !fit.has(one.id) && one.status === "INAPPLICABLE");
}

const CART = new Set([
  "order.amount", "order.initial_amount", "order.items.any", "order.items.aggregated_quantity", "order.items.count",
  "items_the_discount_is_for", "order_has_what_the_discount_needs", "whole_bundles", "logic",
]);

/** What it would take to get a promotion: {article, units} from the shelf, or nothing when goods alone do not help. */
function remedy(one) {
  const failed = (one.explain?.checks ?? []).filter((check) => check.outcome === "failed");
  if (!failed.length || failed.some((check) => !CART.has(check.check))) return null;
  const shelf = [...state.shop.shelf].sort((a, b) => a.price - b.price);
  const some = (of) => shelf.find((line) => line.of === of) ?? shelf[0];
  for (const check of failed) {
    const most = check.asked?.$more_than_or_equal?.[0];
    switch (check.check) {
      case "order.amount": case "order.initial_amount": {
        const short = most - check.seen;
        const article = shelf.find((line) => line.price >= short);
        return { article, units: 1, cost: short };
      }
      case "order.items.count": return priced(shelf[0], most - check.seen);
      case "order.items.aggregated_quantity": return priced(some(promotion(one.id).buy), most - check.seen);
      case "items_the_discount_is_for": return priced(some(promotion(one.id).buy), 1);
      case "whole_bundles": {
        const lacking = (check.seen?.missing ?? []).map((part) => state.shop.names[part.id]);
        const cost = lacking.reduce((sum, name) => sum + (shelf.find((line) => line.of === name)?.price ?? 200), 0);
        return { article: shelf.find((line) => lacking.includes(line.of)), units: 1, cost };
      }
    }
  }
  return null;
}

const priced = (article, units) => ({ article, units, cost: (article?.price ?? 200) * units });

export function drawHints(add) {
  if (state.paid) { $("hints").replaceChildren(); return; }
  const near = missed().map((one) => ({ one, fix: remedy(one) })).filter(({ fix }) => fix).sort((a, b) => a.fix.cost - b.fix.cost).slice(0, 4);
  const rows = near.map(({ one, fix }) => {
    const { name, hint } = promotion(one.id);
    const { article, units } = fix;
    const what = nearest(one) || "Something of it";
    return make("li", { "data-promotion": name },
      make("p", {}, make("b", {}, what.replace(/^(?=\d)/, "Add ")), make("span", {}, `${name}: ${hint}`)),
      article ? make("button", {
        type: "button", "data-focus": `hint ${name}`, onclick: () => add(article, units),
        "aria-label": `Add ${units} ${article.name} for ${name}`,
      }, `+ ${units > 1 ? `${units} ` : ""}${article.name}`, make("small", {}, dollars(article.price * units))) : null);
  });
  $("hints").replaceChildren(...(rows.length ? [make("h2", {}, "Within reach"), make("ul", {}, ...rows)] : []));
}

// ---- tickets

/** Checks of which there is nothing to tell when they pass. */
const PLAIN = new Set(["exists", "promotion_active", "voucher_active", "campaign_active", "redemptions_left"]);

function checks(explain) {
  if (!explain?.checks?.length) return null;
  const plain = explain.checks.filter((one) => PLAIN.has(one.check) && one.outcome === "passed" && (one.check !== "redemptions_left" || one.asked === null));
  const rest = explain.checks.filter((one) => !plain.includes(one));
  const rows = rest.map((one) => {
    const ok = one.outcome === "passed";
    const detail = sides(one, zone());
    const hint = one.hint && one.check !== "logic" ? hintOf(one.hint) : "";
    return make("li", { class: one.outcome },
      make("span", { class: "tick", "aria-hidden": "true" }, ok ? "✓" : "✗"),
      make("span", {}, asks(one), make("span", { class: "skip" }, ok ? " (passed)" : " (failed)")),
      detail ? make("small", {}, named(detail)) : null,
      hint ? make("small", { class: "hint" }, `→ ${hint}`) : null);
  });
  const first = plain.length ? make("li", { class: "passed" },
    make("span", { class: "tick", "aria-hidden": "true" }, "✓"),
    make("span", {}, "It is there, and switched on", make("span", { class: "skip" }, " (passed)"))) : null;
  return make("ul", { class: "checks" }, ...[first, ...rows].filter(Boolean));
}

function reckoning(one) {
  const steps = one.explain?.discount ?? [];
  if (!steps.length) return null;
  const items = one.order?.items ?? [];
  const rows = steps.map((step) => {
    const where = Number.isInteger(step.line) ? `${items[step.line]?.product?.name ?? `Line ${step.line + 1}`}: ` : "";
    return make("li", {}, make("span", { class: "tick", "aria-hidden": "true" }, "="), make("span", {}, where + told(step)));
  });
  return make("ul", { class: "checks" }, ...rows);
}

function head(one, right, removeCode) {
  const offer = promotion(one.id);
  return make("div", { class: "ticket-head" },
    offer ? make("span", { class: "title" }, offer.name) : make("code", {}, one.id),
    make("strong", {}, right),
    offer || state.paid ? null : make("button", {
      type: "button", class: "out", "data-focus": `out ${one.id}`, "aria-label": `Remove ${one.id}`, onclick: () => removeCode(one.id),
    }, "×"),
    offer ? make("small", {}, offer.hint) : null);
}

function good(one, off, removeCode) {
  return make("article", { class: "ticket", "data-id": titleOf(one.id) },
    head(one, less(off), removeCode),
    one.explain ? make("details", {}, make("summary", {}, "How it came about"), reckoning(one), checks(one.explain)) : null);
}

/** What may apply but does not beside the others, or was refused; codes are opened when they are new. */
function bad(one, removeCode, open) {
  const lost = one.status === "SKIPPED" || promotion(one.id);
  const word = one.status === "SKIPPED" ? "stands back" : lost ? "falls short" : "refused";
  return make("article", { class: lost ? "ticket lost" : "ticket no", "data-id": titleOf(one.id) },
    head(one, word, removeCode),
    make("p", { class: "reason" }, reasonOf(one)),
    nearest(one) ? make("p", { class: "next" }, `→ ${nearest(one)}`) : null,
    one.explain ? make("details", { open }, make("summary", {}, "Every check"), checks(one.explain)) : null);
}

function other(one) {
  return make("li", { "data-id": titleOf(one.id) }, make("details", {},
    make("summary", {}, make("b", {}, promotion(one.id).name), make("span", {}, nearest(one) || reasonOf(one))),
    make("p", { class: "reason" }, reasonOf(one)),
    checks(one.explain)));
}

export function drawTickets(removeCode, newest) {
  const off = new Map(discounts().map((one) => [one.id, one.total]));
  const standing = state.paid?.steps ?? applied();
  const rest = state.paid ? [] : outcomes().filter((one) => one.status !== "APPLICABLE");
  const fit = mayHave();
  const codesFirst = [
    ...rest.filter((one) => !promotion(one.id)).sort((a, b) => state.codes.indexOf(b.id) - state.codes.indexOf(a.id)),
    ...rest.filter((one) => promotion(one.id) && (fit.has(one.id) || one.status === "SKIPPED")),
  ];
  const open = new Set([...document.querySelectorAll("#tickets details[open]")].map((each) => each.closest("[data-id]")?.dataset.id));
  const cards = [
    ...standing.map((one) => good(one, off.get(one.id) ?? 0, removeCode)),
    ...codesFirst.map((one) => bad(one, removeCode, one.id === newest)),
  ];
  const others = state.paid ? [] : missed();
  const told = cards.length || others.length ? cards : [make("p", { class: "quiet" }, "Each promotion and code is explained here, check by check.")];
  $("tickets").replaceChildren(...told, ...(others.length ? [make("section", { class: "others" },
    make("h3", {}, `Not for this basket yet: ${others.length}`), make("ul", {}, ...others.map(other)))] : []));
  for (const each of document.querySelectorAll("#tickets details")) {
    if (open.has(each.closest("[data-id]")?.dataset.id)) each.open = true;
  }
}

/** What the best deal is proved by. */
export function drawCertificate() {
  const proof = state.paid ? null : state.seen?.certificate;
  if (!proof) return void ($("proof").textContent = "");
  const best = dollars(proof.best_total), most = dollars(proof.bound);
  const tried = proof.combinations_tried.toLocaleString("en-US");
  const any = proof.bound > proof.best_total ? `, and none in any other order more than ${most}` : "";
  $("proof").textContent = proof.exact ? `Proved: of ${tried} combinations tried, none takes off more than ${best}${any}.`
    : `The best found takes off ${best}; no combination can take off more than ${most}.`;
}

export function showWire(...wires) {
  $("wire").hidden = false;
  $("wirebody").replaceChildren(...wires.flatMap((wire) => [
    make("h3", {}, `POST ${wire.path}`), make("pre", { tabindex: "0" }, JSON.stringify(wire.request, null, 2)),
    make("h3", {}, `answered ${wire.status}`), make("pre", { tabindex: "0" }, JSON.stringify(wire.answer, null, 2)),
  ]));
}

