"""The server as a batch needs it: answers to questions, prices before, the bill after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from openfm.batch.asking import Refusal
from openfm.batch.question import BATCH_TAG, Question
from openfm.cli.client import Client
from openfm.cli.errors import CliError, ServerError
from openfm.core.endpoint import REPLAY_TAG
from openfm.core.price import MICRO, Price, PriceUnit, Target, TargetKind
from openfm.core.price_book import PriceBook, token_price

_BILLED = """
SELECT currency, count(*) AS requests, sum(input_token_count)::BIGINT AS prompt,
    sum(output_token_count)::BIGINT AS completion, sum(cost) AS cost
FROM system.serving.endpoint_usage
WHERE usage_context['{tag}'] = '{batch}' AND input_token_count + output_token_count > 0
GROUP BY currency ORDER BY currency
"""


@dataclass(frozen=True, slots=True)
class BatchServer:
    """Fulfils `batch.asking.Server` for one batch. `tasks` are its endpoints'; `keeping` keep answers."""

    client: Client
    batch: str
    tasks: Mapping[str, str]
    keeping: frozenset[str]

    def keeps_answers(self, endpoint: str) -> bool:
        """See `batch.asking.Server`."""
        return endpoint in self.keeping

    async def ask(self, question: Question, idempotency_key: str) -> dict[str, Any]:
        """See `batch.asking.Server`."""
        body = question.body(self.tasks.get(question.endpoint, ""), {BATCH_TAG: self.batch})
        try:
            return await self.client.query(question.endpoint, body, idempotency_key)
        except ServerError as error:
            raise Refusal(error.message, error.status, error.retry_after_s) from error
        except CliError as error:
            raise Refusal(error.message) from error


async def prices_of(client: Client, endpoint: Mapping[str, Any], at_us: int) -> Sequence[Price]:
    """What tokens of requests to an endpoint cost now, by each model that it serves."""
    book = PriceBook(_price(one) for one in (await client.call("GET", "/api/2.0/openfm/prices"))["prices"])
    served = endpoint.get("config", {}).get("served_entities", [])
    found = {(entity_name(entity), is_provisioned(entity)) for entity in served} or {("", False)}
    return [
        token_price(book.price(endpoint["name"], name, at_us), is_provisioned=is_by_the_hour)
        for name, is_by_the_hour in sorted(found)
    ]


def keeps_answers(endpoint: Mapping[str, Any]) -> bool:
    """Whether the endpoint has the tag for it."""
    tags = {tag["key"]: tag.get("value") for tag in endpoint.get("tags") or []}
    return tags.get(REPLAY_TAG) == "true"


def entity_name(entity: Mapping[str, Any]) -> str:
    """What a served entity's price may be for."""
    return str(entity.get("entity_name") or entity.get("foundation_model", {}).get("name") or "")


def is_provisioned(entity: Mapping[str, Any]) -> bool:
    """Whether a served entity is billed by the hour."""
    return bool(entity.get("max_provisioned_throughput") or entity.get("provisioned_model_units"))


async def billed(client: Client, batch: str) -> Sequence[tuple[str, int, int, int, Decimal]]:
    """What the ledger has of a batch, by currency: requests, prompt and completion tokens, cost."""
    query = _BILLED.format(tag=BATCH_TAG, batch=batch)
    rows = (await client.call("POST", "/api/2.0/openfm/sql", {"query": query}))["rows"]
    return [(row["currency"], row["requests"], row["prompt"], row["completion"], Decimal(row["cost"])) for row in rows]


def _price(shown: Mapping[str, Any]) -> Price:
    is_endpoint = "endpoint" in shown
    kind = TargetKind.ENDPOINT if is_endpoint else TargetKind.ENTITY
    units = {unit: shown[unit.lower()] for unit in PriceUnit if unit.lower() in shown}
    return Price(
        version=shown["version"],
        target=Target(kind, shown["endpoint" if is_endpoint else "entity_name"]),
        currency=shown["currency"],
        amounts={unit: int(Decimal(amount) * MICRO) for unit, amount in units.items()},
        effective_from_us=int(datetime.fromisoformat(shown["effective_from"]).timestamp() * 1_000_000),
        created_us=0,
        created_by="",
    )
