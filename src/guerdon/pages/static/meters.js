// The counters of campaigns and promotions, and of their limits.

import { $, call, make } from "./state.js";
import { dollars, less } from "./words.js";

const SHOWN = 8;
const before = new Map();
let all = false;

export async function readCounters(mine) {
  const { campaigns, promotions, refused } = await call("counters");
  const first = before.size === 0;
  const touched = (one) => {
    const was = before.get(one.id);
    before.set(one.id, one.redeemed);
    return !first && was !== undefined && was !== one.redeemed;
  };
  $("promotions").replaceChildren(...promotions.map((one) => promotionMeter(one, touched(one))));
  const cards = campaigns.map((one) => ({ one, touched: touched(one), mine: mine.has(one.code) }));
  const shown = all ? cards : cards.slice(0, SHOWN).concat(cards.slice(SHOWN).filter((card) => card.touched || card.mine));
  $("counters").replaceChildren(...shown.map(meter));
  const sum = (list, name) => list.reduce((total, one) => total + one[name], 0);
  const redeemed = sum(campaigns, "redeemed") + sum(promotions, "redeemed");
  const given = sum(campaigns, "given") + sum(promotions, "given");
  $("totals").textContent = `${redeemed.toLocaleString("en-US")} redemptions stand, ${dollars(given)} given${refused ? `, ${refused.toLocaleString("en-US")} refused at the till` : ""}.`;
  $("counters").nextElementSibling?.remove();
  if (cards.length > shown.length) {
    $("counters").after(make("button", { type: "button", class: "more", onclick: () => { all = true; readCounters(mine); } }, `Show all ${cards.length}`));
  }
}

function row(one, touched, code, about) {
  return make("article", { class: touched ? "meter touched" : "meter", "data-code": code },
    make("span", { class: "count" }, one.redeemed.toLocaleString("en-US")),
    make("span", { class: "name" }, one.name),
    make("span", { class: one.given ? "given" : "given none" }, one.given ? less(one.given) : "–"),
    about);
}

function meter({ one, touched }) {
  const alone = one.type === "STANDALONE";
  const codes = alone ? one.code : `${one.codes.toLocaleString("en-US")} codes, one a household`;
  const limit = alone && one.quantity ? `, at most ${one.quantity} ×` : "";
  return row(one, touched, alone ? one.code : "", make("span", { class: "code" }, codes + limit));
}

function promotionMeter(one, touched) {
  return row(one, touched, one.name, limitOf(one));
}

/** How far a limit is used, as a bar with its numbers. */
function limitOf(one) {
  const [used, most, text] = one.daily
    ? [one.today, one.daily, `${one.today} of ${one.daily} today`]
    : one.budget ? [one.given, one.budget, `${dollars(one.given)} of ${dollars(one.budget)}`] : [0, 0, ""];
  if (!most) return null;
  const label = `Limit of ${one.name}`;
  return make("span", { class: "limit" }, make("progress", { max: most, value: Math.min(used, most), "aria-label": label }), make("span", {}, text));
}
