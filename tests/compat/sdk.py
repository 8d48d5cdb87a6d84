"""All the SDK's clients that this release answers to, on one connection."""

import itertools
import json
import time
import urllib.request
from typing import Any

import voucherify

ACTION_SECONDS = 30.0


class Sdk:
    """The SDK with a key, and names that were not used before."""

    def __init__(
        self,
        host: str,
        app_id: str,
        app_token: str,
        *,
        project_id: str = "",
        management: tuple[str, str] = ("", ""),
    ) -> None:
        keys = {"X-App-Id": app_id, "X-App-Token": app_token}
        self.keys = keys
        self.host = host
        self.project_id = project_id
        self.client = voucherify.ApiClient(voucherify.Configuration(host=host, api_key=keys))
        managing = {"X-Management-Id": management[0], "X-Management-Token": management[1]}
        self.management = voucherify.ManagementApi(
            voucherify.ApiClient(voucherify.Configuration(host=host, api_key=managing))
        )
        self.async_actions = voucherify.AsyncActionsApi(self.client)
        self.campaigns = voucherify.CampaignsApi(self.client)
        self.categories = voucherify.CategoriesApi(self.client)
        self.customers = voucherify.CustomersApi(self.client)
        self.loyalties = voucherify.LoyaltiesApi(self.client)
        self.metadata_schemas = voucherify.MetadataSchemasApi(self.client)
        self.orders = voucherify.OrdersApi(self.client)
        self.product_collections = voucherify.ProductCollectionsApi(self.client)
        self.products = voucherify.ProductsApi(self.client)
        self.promotions = voucherify.PromotionsApi(self.client)
        self.publications = voucherify.PublicationsApi(self.client)
        self.events = voucherify.EventsApi(self.client)
        self.exports = voucherify.ExportsApi(self.client)
        self.qualifications = voucherify.QualificationsApi(self.client)
        self.redemptions = voucherify.RedemptionsApi(self.client)
        self.referrals = voucherify.ReferralsApi(self.client)
        self.rewards = voucherify.RewardsApi(self.client)
        self.segments = voucherify.SegmentsApi(self.client)
        self.validation_rules = voucherify.ValidationRulesApi(self.client)
        self.validations = voucherify.ValidationsApi(self.client)
        self.vouchers = voucherify.VouchersApi(self.client)
        self._numbers = itertools.count(1)

    def name(self, start: str) -> str:
        """A name not used before."""
        return f"{start}-{next(self._numbers)}"

    def finished(self, async_action_id: str) -> Any:
        """The async action once it has ended."""
        deadline = time.monotonic() + ACTION_SECONDS
        while time.monotonic() < deadline:
            action = self.async_actions.get_async_action(async_action_id)
            if action.status in ("DONE", "FAILED"):
                return action
            time.sleep(0.05)
        raise AssertionError(f"{async_action_id} did not end within {ACTION_SECONDS} s")

    def raw(self, method: str, path: str, body: Any = None) -> Any:
        """A call as clients in other languages make it, for bodies that this SDK cannot send."""
        request = urllib.request.Request(
            self.host + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers=self.keys | {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def redeem(self, *codes: str, amount: int, **more: Any) -> voucherify.RedemptionsRedeemResponseBody:
        """Redeem codes on an order of this amount."""
        item = voucherify.RedemptionsRedeemRequestBodyRedeemablesItem
        body = voucherify.RedemptionsRedeemRequestBody(
            redeemables=[item(object="voucher", id=code) for code in codes],
            order=voucherify.Order(amount=amount),
            **more,
        )
        return self.redemptions.redeem_stacked_discounts(body)

    @staticmethod
    def key(error: voucherify.ApiException) -> str:
        """The key of an error as the SDK raises it."""
        return json.loads(error.body)["key"]
