"""The caller of a call, as policies see it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Principal:
    partition: str
    account: str
    kind: str  # "root" | "user" | "role"
    # What `User: …` says in messages and GetCallerIdentity answers; for roles the session.
    arn: str
    # What `aws:PrincipalArn` says: the user, or the role with its path, never the session (D§1.2).
    identity_arn: str
    # AIDA…/AROA…, or the account id for the root user. Policies pin principals by it (D§1.4).
    unique_id: str
    session_name: str = ""
    session_policy: str | None = None

    @property
    def user_id(self) -> str:
        return f"{self.unique_id}:{self.session_name}" if self.session_name else self.unique_id

    @property
    def name(self) -> str:
        return self.identity_arn.rsplit("/", 1)[-1]

    @property
    def root_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:root"
