"""`/_strict/…`: how tests set up and observe the world. JSON in, JSON out; no AWS call has such a path."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from moto.core.utils import utcnow
from moto.kms.models import Key

from .faults import Fault, Faults
from .httpd import Reply, Request
from .iam import entities
from .journal import FILTERS, Journal
from .kms.keys import backend, by_id
from .policy.grammar import TRUST_POLICY, parse
from .policy.stored import StoredPolicy
from .throttling import Throttling
from .world import World

Body = dict[str, Any]
_KEY_STATES = {
    "Enabled",
    "Disabled",
    "PendingDeletion",
    "PendingReplicaDeletion",
    "PendingImport",
    "Creating",
    "Updating",
    "Unavailable",
}


class Admin:
    def __init__(self, world: World, faults: Faults, throttling: Throttling, journal: Journal):
        self._world = world
        self._faults = faults
        self._throttling = throttling
        self._journal = journal
        self._routes: dict[tuple[str, str], Callable[[Body], Any]] = {
            ("GET", "health"): lambda _: {},
            ("POST", "accounts"): self._create_account,
            ("POST", "oidc"): self._register_issuer,
            ("POST", "roles/protected"): self._create_protected_role,
            ("POST", "keys/state"): self._set_key_state,
            ("POST", "keys/id"): self._set_key_id,
            ("POST", "secrets/owner"): self._set_secret_owner,
            ("POST", "sessions/expire"): self._expire_sessions,
            ("POST", "quotas"): self._set_quotas,
            ("POST", "lag"): self._set_lag,
            ("POST", "options"): self._set_options,
            ("POST", "throttling"): self._set_throttling,
            ("POST", "faults"): self._add_fault,
            ("GET", "faults"): lambda _: [asdict(fault) for fault in faults.all()],
            ("DELETE", "faults"): lambda body: faults.remove(int(body["id"]) if "id" in body else None),
            ("GET", "counters"): lambda body: journal.counters(_filters(body)),
            ("GET", "log"): lambda body: journal.log(_filters(body), int(body.get("since", 0))),
            ("DELETE", "counters"): lambda body: journal.reset(_filters(body)),
        }

    def answer(self, request: Request) -> Reply:
        route = self._routes.get((request.method, request.path.removeprefix("/_strict/")))
        if route is None:
            return _reply(404, {"error": f"no {request.method} {request.path}"})
        try:
            body = dict(parse_qsl(request.query)) | json.loads(request.body or b"{}")
            with self._world.lock:
                return _reply(200, route(body))
        except (ValueError, KeyError, TypeError) as problem:
            return _reply(400, {"error": f"{type(problem).__name__}: {problem}"})

    def _create_account(self, body: Body) -> Body:
        account = self._world.create_account(body["id"], body.get("partition", "aws"), body.get("org"))
        return {"accessKeyId": account.root_key, "secretAccessKey": account.root_secret}

    def _register_issuer(self, body: Body) -> Body:
        self._world.jwks[body["issuer"].removeprefix("https://")] = body["jwks"]
        return {}

    def _create_protected_role(self, body: Body) -> Body:
        """A role as AWS itself makes it, under a path that nobody else may use (D§4.4)."""
        partition = body.get("partition", "aws")
        trust = body.get("trust") or {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "sso.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        role = entities.backend(partition, body["account"]).create_role(
            body["name"], "{}", body["path"], None, "", [], "3600"
        )
        role.assume_role_policy_document = StoredPolicy.pin(
            self._world, partition, parse(json.dumps(trust), TRUST_POLICY)
        )
        return {"arn": role.arn, "roleId": role.id}

    def _key(self, arn: str) -> Key:
        _, _, _, region, _, resource = arn.split(":", 5)
        key = by_id(self._world, region, resource.removeprefix("key/"))
        if key is None:
            raise ValueError(f"there is no key {arn}")
        return key

    def _set_key_id(self, body: Body) -> Body:
        """Gives a new key the id that it had in another world."""
        key = self._key(body["arn"])
        keys = backend(key.account_id, key.region).keys
        del keys[key.id]
        key.id, key.arn = body["id"], key.arn.replace(key.id, body["id"])
        keys[key.id] = key
        return {"arn": key.arn}

    def _set_key_state(self, body: Body) -> Body:
        if body["state"] not in _KEY_STATES:
            raise ValueError(f"there is no key state {body['state']!r}")
        key = self._key(body["arn"])
        key.key_state, key.enabled = body["state"], body["state"] == "Enabled"
        if body["state"] == "PendingDeletion":
            key.deletion_date = utcnow()
        return {}

    def _set_secret_owner(self, body: Body) -> Body:
        secret = self._world.secrets.by_arn(body["arn"])
        if secret is None:
            raise ValueError(f"there is no secret {body['arn']}")
        secret.owning_service = body.get("service")
        return {}

    def _expire_sessions(self, body: Body) -> Body:
        account = body.get("account")
        for session in self._world.sessions.values():
            if account in (None, session.principal.account):
                session.expiration = datetime.now(UTC)
        return {}

    def _set_quotas(self, body: Body) -> Body:
        """Adjusts quotas of GetAccountSummary (D§4.1: readable live)."""
        summary = entities.backend(body.get("partition", "aws"), body["account"]).account_summary
        for name, value in body["quotas"].items():
            attribute = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
            if not hasattr(summary, attribute):
                raise ValueError(f"there is no quota {name}")
            setattr(summary, attribute, int(value))
        return {}

    def _set_lag(self, body: Body) -> Body:
        self._world.lag.set(body["account"], int(body["ms"]), bool(body.get("flapping", False)))
        return {}

    def _set_options(self, body: Body) -> Body:
        for name, value in body.items():
            if name not in asdict(self._world.options):
                raise ValueError(f"there is no option {name}")
            setattr(self._world.options, name, int(value))
        return asdict(self._world.options)

    def _set_throttling(self, body: Body) -> Body:
        self._throttling.configure(bool(body["enabled"]), body.get("account"), body.get("rates", {}))
        return {}

    def _add_fault(self, body: Body) -> Body:
        fault = Fault.of(body)
        self._faults.add(fault)
        return {"id": fault.id}


def _filters(body: Body) -> dict[str, str]:
    return {name: body[name] for name in FILTERS if name in body}


def _reply(status: int, value: Any) -> Reply:
    return Reply(status, {"Content-Type": "application/json"}, json.dumps(value).encode())
