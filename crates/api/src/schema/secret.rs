//! Leaves about secrets: names in Secrets Manager.

use schemars::{Schema, SchemaGenerator};

use super::{formed, set};
use crate::limits;

pub(crate) fn secret_patterns(_: &mut SchemaGenerator) -> Schema {
    let pattern = formed(
        limits::SECRET_PATTERN,
        "^[A-Za-z0-9/_+=.@*?-]+$",
        "a secret pattern must be the name of a secret, like orders/db, with * and ? as wildcards; it has no ARN",
    );
    set(&pattern, limits::PATTERNS)
}
