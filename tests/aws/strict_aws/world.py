"""What exists besides moto's resources: accounts, organizations, sessions, and the lock around it all."""

import secrets
import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from .identity.principal import Principal
from .lag import Lag
from .options import Options
from .partitions import DEFAULT_REGIONS
from .secretsmanager.store import Secrets

# A root key says which account of which partition it opens: prefix and account id are 20 characters together.
_ROOT_PREFIXES = {"aws": "AKIAROOT", "aws-cn": "AKIARTCN", "aws-us-gov": "AKIARTGV"}


@dataclass(frozen=True)
class Account:
    partition: str
    id: str
    org: str | None
    root_secret: str

    @property
    def root_key(self) -> str:
        return _ROOT_PREFIXES[self.partition] + self.id


@dataclass
class Session:
    principal: Principal
    secret: str
    token: str
    expiration: datetime


class World:
    def __init__(self) -> None:
        # Everything that reads or changes moto's state holds it, so that PutKeyPolicy and its like are atomic.
        self.lock = threading.RLock()
        # Equal digits in two partitions are two accounts (D§7).
        self._accounts: dict[str, dict[str, Account]] = defaultdict(dict)
        self._by_root_key: dict[str, Account] = {}
        self.options = Options()
        self.lag = Lag()
        self.secrets = Secrets()
        self.sessions: dict[str, Session] = {}
        # Issuer (without scheme) → JWKS, as the issuer's own web server would publish it.
        self.jwks: dict[str, dict] = {}

    def create_account(self, account_id: str, partition: str, org: str | None) -> Account:
        """Creates the account, or changes the organization of an existing one; its root credential stays."""
        if partition not in DEFAULT_REGIONS:
            raise ValueError(f"unknown partition {partition!r}")
        if not (len(account_id) == 12 and account_id.isdigit()):
            raise ValueError(f"an account id has 12 digits, not {account_id!r}")
        old = self._accounts[partition].get(account_id)
        account = Account(partition, account_id, org, old.root_secret if old else secrets.token_urlsafe(30))
        self._accounts[partition][account_id] = account
        self._by_root_key[account.root_key] = account
        return account

    def account(self, partition: str, account_id: str) -> Account | None:
        return self._accounts[partition].get(account_id)

    def accounts_of(self, partition: str) -> list[Account]:
        return list(self._accounts[partition].values())

    def account_of_root_key(self, access_key: str) -> Account | None:
        return self._by_root_key.get(access_key)
