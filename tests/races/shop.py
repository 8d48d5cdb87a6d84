"""A project on running servers, as races need it."""

from typing import Any

from guerdon.kit import db

from .together import Clients, Response, request

CLIENTS = 16


class Shop:
    """A project on running servers: sends its requests, and looks at its rows.

    It also reads the database beside the servers, to hold the answers against what is kept.
    """

    def __init__(
        self, host: str, ports: list[int], headers: dict[str, str], project_id: str, pool: db.Pool
    ) -> None:
        self.host = host
        self.ports = ports
        self.headers = headers
        self.project_id = project_id
        self.pool = pool
        self.clients = Clients(host, ports, CLIENTS)
        self._single = Clients(host, ports, 1)
        self._count = 0

    def code(self, **redemption: int) -> str:
        """A new code worth 10.00 off, with a limit such as ``quantity=1``."""
        code = self.name("RACE")
        discount = {"type": "AMOUNT", "amount_off": 1000}
        made = self.ask("POST", f"/v1/vouchers/{code}", {
            "type": "DISCOUNT_VOUCHER", "discount": discount, "redemption": redemption,
        })  # fmt: skip
        assert made.status == 200, made.body
        return code

    def name(self, start: str) -> str:
        """A name not used before."""
        self._count += 1
        return f"{start}-{self._count}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """One request and its answer."""
        return self._single.release([request(method, path, self.headers | headers, body)])[0]

    def redemption(self, codes: list[str], **headers: str) -> bytes:
        """The bytes of a redemption of codes on an order of 100.00."""
        redeemables = [{"object": "voucher", "id": code} for code in codes]
        body = {"redeemables": redeemables, "order": {"amount": 10_000}}
        return request("POST", "/v1/redemptions", self.headers | headers, body)

    def redeem(self, *codes: str) -> list[str]:
        """Redeem codes alone; the redemptions' ids, and the stack's after them."""
        answer = self._single.release([self.redemption(list(codes))])[0]
        assert answer.status == 200, answer.body
        content = answer.json()
        ids = [one["id"] for one in content["redemptions"]]
        return [*ids, content["parent_redemption"]["id"]] if "parent_redemption" in content else ids

    def rollback(self, redemption_id: str, body: Any = None, **headers: str) -> bytes:
        """The bytes of a rollback."""
        return request("POST", f"/v1/redemptions/{redemption_id}/rollback", self.headers | headers, body)

    async def used(self, code: str) -> int:
        """How often the code's own row says it was redeemed."""
        sql = "select redeemed_quantity from vouchers where project_id = $1 and code = $2"
        return await db.value(self.pool, sql, self.project_id, code)

    async def recorded(self, code: str, thing: str = "redemption", result: str = "SUCCESS") -> int:
        """How many redemptions (or ``redemption_rollback``s) of the code are recorded."""
        sql = """
            select count(*) from redemptions
            where project_id = $1 and voucher_code = $2 and object = $3 and result = $4
        """
        return await db.value(self.pool, sql, self.project_id, code, thing, result)

    async def told(self, kind: str, code: str) -> int:
        """How many events of a type there are about the code's redemptions."""
        sql = """
            select count(*) from events e join redemptions r on r.project_id = e.project_id and r.id = e.entity_id
            where e.project_id = $1 and e.type = $2 and r.voucher_code = $3
        """
        return await db.value(self.pool, sql, self.project_id, kind, code)

    def close(self) -> None:
        self.clients.close()
        self._single.close()
