// The API's checks and reckonings in words. Amounts come in cents, instants as ISO 8601.

const money = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
export const dollars = (cents) => money.format(cents / 100);
export const less = (cents) => `−${dollars(cents)}`;

export const ASKED = {
  exists: "There is such a code",
  voucher_active: "It is switched on",
  campaign_active: "Its campaign is switched on",
  start_date: "It has started",
  expiration_date: "It has not ended",
  validity_timeframe: "Its recurring window is open",
  validity_day_of_week: "It is valid on this day of the week",
  validity_hours: "It is valid at this hour",
  redemptions_left: "It may be used again",
  order_has_what_the_discount_needs: "The order has what the discount needs",
};

export const words = (text) => String(text).replaceAll("_", " ");

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

/** A check's two sides as a sentence. */
export function sides(one, timeZone) {
  const [wanted, seen] = [value(one.asked, one.check, timeZone), value(one.seen, one.check, timeZone)];
  switch (one.check) {
    case "exists": return wanted;
    case "start_date": return `from ${wanted}; now it is ${seen}`;
    case "expiration_date": return `until ${wanted}; now it is ${seen}`;
    case "redemptions_left": return `may be used ${wanted === "any number" ? "any number of times" : `${wanted} ×`}; was used ${seen} ×`;
    case "validity_day_of_week": case "validity_hours": return `valid ${wanted}; now it is ${seen}`;
    case "order_has_what_the_discount_needs": return one.outcome === "passed" ? "" : words(seen);
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
    case "free_units": return `${facts.free} free${facts.added ? `, ${facts.added} of them put in` : ""}: ${result}`;
    case "cap": return `${CAPS[facts.cap] ?? "capped at"} ${result} (was ${dollars(facts.before)})`;
    default: return `${words(step.step)}: ${result}`;
  }
}
