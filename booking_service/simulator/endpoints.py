"""Webhook endpoints, each with a secret and a choice of events."""

import secrets
from urllib.parse import urlsplit

from booking_service.simulator.account import merged_metadata, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import invalid
from booking_service.simulator.operations import Call, listing, operation, retrieval

_PATH = "/v1/webhook_endpoints"
_ENDPOINT = f"{_PATH}/{{webhook_endpoint}}"

listing(_PATH, "webhook_endpoint")
retrieval(_ENDPOINT, "webhook_endpoint")


@operation("post", _PATH, "url", "enabled_events", "description", "metadata", "api_version")
def _create(call: Call) -> Json:
    account, secret = call.account, f"whsec_{secrets.token_hex(16)}"
    endpoint = account.new(
        "webhook_endpoint",
        new_id("we_1"),
        api_version=call.get("api_version"),
        description=call.get("description"),
        enabled_events=call.params["enabled_events"],
        metadata=merged_metadata({}, call.get("metadata")),
        status="enabled",
        url=_usable(call.params["url"]),
    )
    del endpoint["secret"]  # told once, and never again
    account.save(endpoint)
    account.store.remember(f"secret of {endpoint['id']}", secret)
    return endpoint | {"secret": secret}


@operation("post", _ENDPOINT, "url", "enabled_events", "description", "metadata", "disabled")
def _update(call: Call) -> Json:
    endpoint = call.account.get("webhook_endpoint", call.id)
    if call.get("url"):
        endpoint["url"] = _usable(call.params["url"])
    if "enabled_events" in call.params:
        endpoint["enabled_events"] = call.params["enabled_events"]
    if "description" in call.params:
        endpoint["description"] = call.get("description")
    if "metadata" in call.params:
        endpoint["metadata"] = merged_metadata(endpoint["metadata"], call.params["metadata"])
    if "disabled" in call.params:
        endpoint["status"] = "disabled" if call.params["disabled"] else "enabled"
    return call.account.save(endpoint)


@operation("delete", _ENDPOINT)
def _delete(call: Call) -> Json:
    endpoint = call.account.get("webhook_endpoint", call.id)
    call.account.store.delete(endpoint["id"])
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def _usable(url: str) -> str:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise invalid("Invalid URL: An explicit scheme (such as https) must be provided.", "url")
    return url
