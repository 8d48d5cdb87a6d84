// Medusa's promotion module on one basket. Run by bench/engine_peers.py in the folder the packages are in.
// Its service is the real one; only the reading of promotions from the database is answered from memory.
const { createRequire } = require('node:module');
const path = require('node:path');
const load = createRequire(path.join(process.cwd(), 'x.js'));
const service = load('@medusajs/promotion/dist/services/promotion-module.js').default;

async function main(task) {
    const promotions = Array.from({ length: task.promotions }, (_, n) => ({
        id: `promo_${n}`, code: `PROMO${n}`, type: 'standard', status: 'active', is_automatic: false,
        is_tax_inclusive: false, limit: null, used: 0, campaign: null,
        rules: [{ attribute: 'subtotal', operator: 'gte', values: [{ value: String(task.minimum) }] }],
        application_method: {
            type: 'fixed', target_type: 'order', allocation: 'across', value: task.off,
            max_quantity: null, currency_code: null, target_rules: [], buy_rules: [],
        },
    }));
    const module = new service({
        baseRepository: { getFreshManager: () => ({}), getActiveManager: () => ({}) },
        promotionService: { list: async () => promotions },
    }, {});
    const codes = promotions.map(promotion => promotion.code);
    const milliseconds = [];
    let total = 0;
    for (let round = 0; round < task.rounds; round++) {
        const items = task.lines.map(line => {
            const amount = line.price * line.quantity;
            return { id: line.id, quantity: line.quantity, subtotal: amount, original_total: amount, is_discountable: true };
        });
        const subtotal = items.reduce((sum, item) => sum + item.subtotal, 0);
        const start = process.hrtime.bigint();
        const actions = await module.computeActions(
            codes, { currency_code: 'eur', subtotal, items }, { prevent_auto_promotions: true },
        );
        milliseconds.push(Number(process.hrtime.bigint() - start) / 1e6);
        // Its shares are fractions: the total is told in whole minor units.
        const off = actions.reduce((sum, action) => sum + Number(action.amount), 0);
        total = Math.round(subtotal - off);
    }
    console.log(JSON.stringify({ version: load('@medusajs/promotion/package.json').version, milliseconds, total }));
}

let text = '';
process.stdin.on('data', part => { text += part; });
process.stdin.on('end', () => main(JSON.parse(text)).then(() => process.exit(0), error => {
    console.error(error);
    process.exit(1);
}));
