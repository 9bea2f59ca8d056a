"""What tests turn on and off through the admin API; AWS calls never reach it."""

from dataclasses import dataclass


@dataclass
class Options:
    # Items per page of lists, however many were asked for (D§4.3: "might return fewer").
    page_size: int = 100
    # How long a new role or user stays invisible to PutKeyPolicy and PutResourcePolicy (D§1.5: not yet propagated).
    principal_lag_ms: int = 0
    # How long a secret is `InProgress` in a new replica Region, and not to be found there (D§5.5).
    replication_lag_ms: int = 0
    # How long the name of a secret that was deleted without recovery is still taken (D§5.7).
    secret_name_lag_ms: int = 0
