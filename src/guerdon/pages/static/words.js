// The API's checks and reckonings in words. Amounts come in cents, instants as ISO 8601.

const money = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
export const dollars = (cents) => money.format(cents / 100);
export const less = (cents) => `−${dollars(cents)}`;

const ASKED = {
  exists: "There is such a code",
  voucher_active: "It is switched on",
  promotion_active: "It is switched on",
  campaign_active: "Its campaign is switched on",
  start_date: "It has started",
  expiration_date: "It has not ended",
  validity_timeframe: "Its recurring window is open",
  validity_day_of_week: "It is valid on this day of the week",
  validity_hours: "It is valid at this hour",
  redemptions_left: "It may be used again",
  order_has_what_the_discount_needs: "The order has what the discount needs",
  items_the_discount_is_for: "The order has something that the discount is for",
  whole_bundles: "The order holds a whole set",
  "customer.segment": "The customer is in the segment",
  "customer.metadata": "The customer is one it is meant for",
  "order.amount": "There is enough to pay, after what was taken off before",
  "order.initial_amount": "The order comes to enough",
  "order.items.any": "The order has some of it",
  "order.items.aggregated_quantity": "There is enough of it",
  "order.items.count": "The order has enough units",
  "redemption.count.daily": "It may be redeemed again today",
  "campaign.orders.amount_discounted": "Its budget is not used up",
  logic: "The conditions hold together",
  order_so_far: "What those before it left",
  budget_left: "Its budget has something left",
  "stacking.exclusive_categories": "It may stand beside what applies",
  "stacking.applicable_redeemables_limit": "There is room for one more",
  "stacking.applicable_redeemables_per_category_limit": "There is room for one more of its category",
  "stacking.applicable_exclusive_redeemables_limit": "There is room for one more that stands alone",
  "stacking.best_deal": "It is part of the best deal",
  "stacking.redeemables_no_effect_rule": "It takes something off",
  "stacking.redeemables_application_mode": "Those before it apply",
  "stacking.margin_floor_percent": "There is something left that may be taken off",
};

export const words = (text) => String(text).replaceAll("_", " ");

/** What a check asked, as a sentence. */
export const asks = (one) => ASKED[one.check] ?? sentence(words(one.check.replaceAll(".", " ")));

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A hint of the API as a sentence of the shop: with the currency, and instants as times of its clock. */
export function spoken(hint, timeZone) {
  return sentence(hint
    .replace(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, (instant) => new Date(instant).toLocaleString("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit", timeZone }))
    .replace(/(?<![\w:.])\d+\.\d\d\b/g, "$$$&"));
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const days = (list) => list.map((day) => DAYS[day] ?? day).join(", ");

/** What was asked for, or seen, in words; the API's values are plain JSON. */
function value(thing, check, timeZone) {
  if (thing === null || thing === undefined) return check === "redemptions_left" ? "any number" : "nothing";
  if (thing === true) return "yes";
  if (thing === false) return "no";
  if (check === "validity_day_of_week") return days([thing].flat());
  if (check === "validity_hours" && Array.isArray(thing)) {
    return thing.map((span) => `${span.start_time}–${span.expiration_time ?? "24:00"}${span.days_of_week ? ` (${days(span.days_of_week)})` : ""}`).join(", ");
  }
  if (check === "validity_hours") return `${DAYS[thing.day_of_week]} ${thing.time}`;
  if (typeof thing === "object") return JSON.stringify(thing);
  if (/^\d{4}-\d\d-\d\dT/.test(thing)) {
    return new Date(thing).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone });
  }
  return String(thing);
}

const BOUNDS = {
  $more_than_or_equal: "at least", $more_than: "more than", $less_than_or_equal: "at most", $less_than: "less than",
  $is: "", $in: "one of", $is_not: "not", $not_in: "none of",
};
const MONEY = new Set(["order.amount", "order.initial_amount", "order.total_amount", "campaign.orders.amount_discounted"]);

/** What a condition of a rule asked for: its operators with their values. */
function bounds(asked, format) {
  return Object.entries(asked).filter(([operator]) => operator.startsWith("$")).map(([operator, values]) =>
    `${BOUNDS[operator] ?? words(operator.slice(1))} ${values.map((one) => format(one?.id ?? one?.source_id ?? one)).join(", ")}`.trim()).join(" and ");
}

/** The two sides of a condition of a rule. */
function condition(one) {
  const format = MONEY.has(one.check) ? dollars : String;
  const wanted = bounds(one.asked, format);
  const seen = one.seen;
  if (one.check === "order.items.any") return `of ${wanted.replace("5h1pp1ng", "delivery")}; the order has ${seen?.quantity ?? 0}`;
  if (typeof seen?.used === "number") return `${format(seen.used)} used, ${format(seen.with_this)} with this; ${wanted} allowed`;
  const what = one.asked.property ? `${words(one.asked.property)} ${wanted}` : wanted;
  if (Array.isArray(seen)) return `${what}; this one is in ${seen.length ? seen.join(", ") : "none"}`;
  return `${what}; seen ${seen === null || seen === undefined ? "nothing" : format(seen)}`;
}

/** A check's two sides as a sentence. */
export function sides(one, timeZone) {
  if (one.check === "logic") return `${one.asked.logic}: ${Object.entries(one.seen).map(([key, held]) => `${key} ${held ? "holds" : "does not"}`).join(", ")}`;
  if (one.asked?.rule) return condition(one);
  if (one.check === "whole_bundles") {
    const lacking = (one.seen?.missing ?? []).map((part) => `${part.item_quantity} of ${part.id}`).join(", ");
    return lacking ? `missing: ${lacking}` : `${one.seen?.bundles ?? 0} of at most ${one.asked?.counted_at_most ?? "any number"}`;
  }
  if (one.check === "items_the_discount_is_for") return `of ${(one.asked?.included ?? []).map((each) => each.name ?? each.id).join(", ")}`;
  const [wanted, seen] = [value(one.asked, one.check, timeZone), value(one.seen, one.check, timeZone)];
  switch (one.check) {
    case "exists": return wanted.startsWith("promo_") ? "" : wanted;
    case "start_date": return `from ${wanted}; now it is ${seen}`;
    case "expiration_date": return `until ${wanted}; now it is ${seen}`;
    case "redemptions_left": return `may be used ${wanted === "any number" ? "any number of times" : `${wanted} ×`}; was used ${seen} ×`;
    case "validity_day_of_week": case "validity_hours": return `valid ${wanted}; now it is ${seen}`;
    case "order_has_what_the_discount_needs": return one.outcome === "passed" ? "" : words(seen);
    case "order_so_far": return `${one.asked.after.length ? `after ${one.asked.after.join(", ")} ` : ""}${dollars(one.seen.total_amount)} of ${dollars(one.seen.initial_amount)}`;
    case "budget_left": return `would take ${dollars(one.asked)}; ${dollars(one.seen)} left`;
    case "stacking.best_deal": return `the best deal takes ${dollars(one.asked)} off`;
    case "stacking.exclusive_categories": return "what applies stands alone";
    case "stacking.redeemables_no_effect_rule": return "it would take nothing off";
    default: return wanted === seen ? "" : `asked for ${wanted}, saw ${seen}`;
  }
}

const CAPS = {
  amount_limit: "never more than", aggregated_amount_limit: "never more in all than", order_total: "no more than is left to pay,",
};

/** A step of the reckoning as a sentence; `facts` are the API's. */
export function told(step) {
  const facts = step.facts ?? {};
  const result = dollars(step.result ?? 0);
  switch (step.step) {
    case "percent_of_order": return `${facts.percent_off} % of ${dollars(facts.base)}, rounded ${facts.rounding}: ${result}`;
    case "percent_of_line": return `${facts.percent_off} % of ${dollars(facts.base)}: ${result}`;
    case "amount_off_order": return `${result} off the order`;
    case "fixed_order_amount": return `from ${dollars(facts.total)} down to ${dollars(facts.fixed_amount)}: ${result}`;
    case "fixed_unit_price": return `${facts.quantity} at ${dollars(facts.fixed_amount)} instead of ${dollars(facts.subtotal)}: ${result}`;
    case "apply_to_items": return `${dollars(facts.amount_off)} off the line: ${result}`;
    case "apply_to_items_by_quantity": return `${facts.quantity} times ${dollars(facts.amount_off)}: ${result}`;
    case "apply_to_items_proportionally": return `its share by price (${dollars(facts.subtotal)}): ${result}`;
    case "apply_to_items_proportionally_by_quantity": return `its share by quantity (${facts.quantity}): ${result}`;
    case "formula": return `${facts.formula} comes to ${facts.comes_to}`;
    case "formula_fallback": return `${facts.value} cannot be worked out (${facts.why}), so the fixed value stands: ${result}`;
    case "free_units": return `${facts.free} free${facts.added ? `, ${facts.added} of them put in` : ""}: ${result}`;
    case "replaced_units": return `${facts.replaced} replaced by ${facts.added}: ${result}`;
    case "cap": return `${CAPS[facts.cap] ?? "capped at"} ${result} (was ${dollars(facts.before)})`;
    default: return `${words(step.step)}: ${result}`;
  }
}
