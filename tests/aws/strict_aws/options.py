"""What tests turn on and off through the admin API; AWS calls never reach it."""

from dataclasses import dataclass


@dataclass
class Options:
    # Items per page of IAM lists, however many were asked for (D§4.3: "might return fewer").
    page_size: int = 100
    # How long a new role or user stays invisible to PutKeyPolicy (D§1.5: not yet propagated).
    principal_lag_ms: int = 0
