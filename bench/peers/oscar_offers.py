"""django-oscar's offers on one basket. Run by bench/engine_peers.py with the Python that django-oscar is in.

Everything is in a SQLite database in memory. Each offer asks for a basket of some worth and takes a fixed amount
off it; offers may be joined with each other, so that all apply.
"""

import json
import sys
import time
from decimal import Decimal
from importlib.metadata import version

import django
from django.conf import settings


def prepare() -> None:
    """Django with oscar's applications, and its tables."""
    from oscar import defaults

    oscar = {name: getattr(defaults, name) for name in dir(defaults) if name.startswith("OSCAR_")}
    settings.configure(
        **oscar,
        SECRET_KEY="bench",
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        HAYSTACK_CONNECTIONS={"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
        SITE_ID=1,
        ROOT_URLCONF="",
        INSTALLED_APPS=[
            "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
            "django.contrib.sites", "django.contrib.messages", "django.contrib.flatpages",
            "oscar.config.Shop", "oscar.apps.analytics.apps.AnalyticsConfig",
            "oscar.apps.checkout.apps.CheckoutConfig", "oscar.apps.address.apps.AddressConfig",
            "oscar.apps.shipping.apps.ShippingConfig", "oscar.apps.catalogue.apps.CatalogueConfig",
            "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
            "oscar.apps.communication.apps.CommunicationConfig", "oscar.apps.partner.apps.PartnerConfig",
            "oscar.apps.basket.apps.BasketConfig", "oscar.apps.payment.apps.PaymentConfig",
            "oscar.apps.offer.apps.OfferConfig", "oscar.apps.order.apps.OrderConfig",
            "oscar.apps.customer.apps.CustomerConfig", "oscar.apps.search.apps.SearchConfig",
            "oscar.apps.voucher.apps.VoucherConfig", "oscar.apps.wishlists.apps.WishlistsConfig",
            "oscar.apps.dashboard.apps.DashboardConfig",
            "oscar.apps.dashboard.reports.apps.ReportsDashboardConfig",
            "oscar.apps.dashboard.users.apps.UsersDashboardConfig",
            "oscar.apps.dashboard.orders.apps.OrdersDashboardConfig",
            "oscar.apps.dashboard.catalogue.apps.CatalogueDashboardConfig",
            "oscar.apps.dashboard.offers.apps.OffersDashboardConfig",
            "oscar.apps.dashboard.partners.apps.PartnersDashboardConfig",
            "oscar.apps.dashboard.pages.apps.PagesDashboardConfig",
            "oscar.apps.dashboard.ranges.apps.RangesDashboardConfig",
            "oscar.apps.dashboard.reviews.apps.ReviewsDashboardConfig",
            "oscar.apps.dashboard.vouchers.apps.VouchersDashboardConfig",
            "oscar.apps.dashboard.communications.apps.CommunicationsDashboardConfig",
            "oscar.apps.dashboard.shipping.apps.ShippingDashboardConfig",
            "widget_tweaks", "haystack", "treebeard", "django_tables2",
        ],
    )  # fmt: skip
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, run_syncdb=True)


def fill(task: dict) -> object:
    """The products, the basket's lines and the offers; answers how to get the basket afresh."""
    from oscar.core.loading import get_model

    product_class = get_model("catalogue", "ProductClass").objects.create(name="one", track_stock=False)
    partner = get_model("partner", "Partner").objects.create(name="one")
    basket = get_model("basket", "Basket").objects.create()
    for line in task["lines"]:
        product = get_model("catalogue", "Product").objects.create(
            title=line["id"], upc=line["id"], product_class=product_class
        )
        stock = get_model("partner", "StockRecord").objects.create(
            product=product, partner=partner, partner_sku=line["id"], price=Decimal(line["price"]) / 100
        )
        get_model("basket", "Line").objects.create(
            basket=basket, line_reference=line["id"], product=product, stockrecord=stock,
            quantity=line["quantity"], price_excl_tax=stock.price, price_incl_tax=stock.price,
        )  # fmt: skip
    everything = get_model("offer", "Range").objects.create(name="all", includes_all_products=True)
    condition = get_model("offer", "Condition")
    benefit = get_model("offer", "Benefit")
    for number in range(task["promotions"]):
        get_model("offer", "ConditionalOffer").objects.create(
            name=f"Offer {number}", slug=f"offer-{number}", exclusive=False, max_basket_applications=1,
            condition=condition.objects.create(
                range=everything, type=condition.VALUE, value=Decimal(task["minimum"]) / 100
            ),
            benefit=benefit.objects.create(range=everything, type=benefit.FIXED, value=Decimal(task["off"]) / 100),
        )  # fmt: skip
    return basket.pk


def main() -> None:
    """Read the task, apply the offers so many times, print the times."""
    task = json.load(sys.stdin)
    prepare()
    key = fill(task)
    from oscar.apps.offer.applicator import Applicator
    from oscar.apps.partner.strategy import Default
    from oscar.core.loading import get_model

    milliseconds: list[float] = []
    total = 0
    for _ in range(task["rounds"]):
        basket = get_model("basket", "Basket").objects.get(pk=key)
        basket.strategy = Default()
        list(basket.all_lines())
        start = time.perf_counter()
        Applicator().apply(basket)
        milliseconds.append((time.perf_counter() - start) * 1000)
        total = int(basket.total_incl_tax * 100)
    print(json.dumps({"version": version("django-oscar"), "milliseconds": milliseconds, "total": total}))


if __name__ == "__main__":
    main()
