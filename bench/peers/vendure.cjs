// Vendure's order calculator on one basket. Run by bench/engine_peers.py in the folder the packages are in.
// What would ask a database (zones, tax rates, shipping) answers at once from memory; nothing else is replaced.
const { createRequire } = require('node:module');
const path = require('node:path');
const load = createRequire(path.join(process.cwd(), 'x.js'));
load('reflect-metadata');
const core = load('@vendure/core');
const { OrderCalculator } = load('@vendure/core/dist/service/helpers/order-calculator/order-calculator.js');

async function main(task) {
    const config = core.defaultConfig;
    const zone = { id: 1, name: 'one', members: [] };
    const ctx = {
        channelId: 1,
        channel: { id: 1, pricesIncludeTax: false, defaultTaxZone: zone, defaultCurrencyCode: 'EUR' },
        currencyCode: 'EUR',
    };
    const rate = { value: 0, name: 'none', apply: () => ({ description: 'none', taxRate: 0 }) };
    const calculator = new OrderCalculator(
        { taxOptions: config.taxOptions, orderOptions: config.orderOptions },
        { getAllWithMembers: async () => [zone] },
        { getApplicableTaxRate: async () => rate },
        { findOne: async () => undefined },
        { getEligibleShippingMethods: async () => [] },
        { get: (_ctx, _key, make) => make() },
    );
    config.taxOptions.taxZoneStrategy.determineTaxZone = () => zone;
    const promotions = Array.from({ length: task.promotions }, (_, n) => new core.Promotion({
        id: n + 1,
        enabled: true,
        priorityScore: 10,
        translations: [],
        promotionConditions: [core.minimumOrderAmount],
        promotionActions: [core.orderFixedDiscount],
        conditions: [{
            code: 'minimum_order_amount',
            args: [{ name: 'amount', value: String(task.minimum) }, { name: 'taxInclusive', value: 'false' }],
        }],
        actions: [{ code: 'order_fixed_discount', args: [{ name: 'discount', value: String(task.off) }] }],
    }));
    const milliseconds = [];
    let total = 0;
    for (let round = 0; round < task.rounds; round++) {
        const order = new core.Order({
            id: 1, code: 'one', state: 'AddingItems', currencyCode: 'EUR', couponCodes: [], surcharges: [],
            shippingLines: [], modifications: [], promotions: [], payments: [],
            lines: task.lines.map((line, n) => new core.OrderLine({
                id: n + 1, quantity: line.quantity, orderPlacedQuantity: 0, listPrice: line.price,
                initialListPrice: line.price, listPriceIncludesTax: false, adjustments: [], taxLines: [],
                taxCategoryId: 1, productVariant: { id: n + 1, productId: n + 1 },
            })),
        });
        const start = process.hrtime.bigint();
        await calculator.applyPriceAdjustments(ctx, order, promotions, order.lines);
        milliseconds.push(Number(process.hrtime.bigint() - start) / 1e6);
        total = order.subTotal;
    }
    console.log(JSON.stringify({ version: load('@vendure/core/package.json').version, milliseconds, total }));
}

let text = '';
process.stdin.on('data', part => { text += part; });
process.stdin.on('end', () => main(JSON.parse(text)).then(() => process.exit(0), error => {
    console.error(error);
    process.exit(1);
}));
