//! Bounds of everything in spec and status.
//!
//! They keep the cost of every CEL rule within the API server's budget, and the whole status of one object under 256 KiB,
//! far from what etcd takes. Texts are counted in characters.

/// Bytes that the status of one object takes at most, as JSON.
pub const STATUS_BYTES: usize = 256 * 1024;

/// Consumers of one `SharedKey`.
pub const CONSUMERS: usize = 32;
/// Principals of one consumer.
pub const PRINCIPALS_PER_CONSUMER: usize = 64;
/// Principals of all consumers of one `SharedKey` together. More than a key policy of 32 KB can hold with long paths (D§1.1).
pub const PRINCIPALS: usize = 96;
/// Actions of one consumer or one guardrail.
pub const ACTIONS: usize = 32;
/// Pairs of an encryption context; as many as a grant's constraint takes (D§3.1).
pub const ENCRYPTION_CONTEXT: usize = 8;
/// Services of `viaServices`.
pub const SERVICES: usize = 16;

/// Readers of one `ExternalSecret`.
pub const READERS: usize = 24;
/// Replicas of one `ExternalSecret`; no partition has more Regions.
pub const REPLICAS: usize = 32;
/// Tags of one secret in a spec: AWS takes 50, and four say whose it is.
pub const TAGS: usize = 46;
/// Members of a value that are mapped to keys of a Kubernetes Secret.
pub const TARGET_KEYS: usize = 64;

/// Allow rules of one `AwsAccount`.
pub const ALLOW_RULES: usize = 64;
/// Entries of each list of one allow rule.
pub const PATTERNS: usize = 64;
/// Accounts of `sharing.trustedAccounts`.
pub const TRUSTED_ACCOUNTS: usize = 256;

/// Name of any Kubernetes object.
pub const OBJECT_NAME: usize = 253;
/// DNS label: namespaces and consumers.
pub const LABEL: usize = 63;
/// Region name.
pub const REGION: usize = 32;
/// Name of a secret in Secrets Manager (D§5.6).
pub const SECRET_NAME: usize = 512;
/// A pattern over names of secrets.
pub const SECRET_PATTERN: usize = 256;
/// ARN of a secret: the name, and what stands before and behind it.
pub const SECRET_ARN: usize = 640;
/// `description` of a secret (D§5.6).
pub const DESCRIPTION: usize = 2048;
/// Key of a tag.
pub const TAG_KEY: usize = 128;
/// Value of a tag.
pub const TAG_VALUE: usize = 256;
/// `path/Name` of a role or user: 64 for the name (D§4.1), and of the 512 that IAM takes for a path as many as fit the status.
pub const ENTITY: usize = 256;
/// ARN of a role, user or key.
pub const ARN: usize = 320;
/// One KMS action.
pub const ACTION: usize = 64;
/// Key or value of an encryption context; a grant's constraint takes as many (D§3.1).
pub const CONTEXT_TEXT: usize = 384;
/// Alias of a key, and a pattern over keys.
pub const ALIAS: usize = 256;
/// URL of an endpoint.
pub const URL: usize = 256;

/// Entries of `status.drift`; `status.driftCount` has the true number.
pub const DRIFT: usize = 64;
/// Entries of `status.lastCorrection.items`.
pub const CORRECTIONS: usize = 16;
/// Entries of `status.lastCollision.items`.
pub const COLLISIONS: usize = 4;
/// A statement in one of them. The history of the key policy has it in full.
pub const COLLISION_STATEMENT: usize = 256;
/// Conditions of one object.
pub const CONDITIONS: usize = 16;
/// `message` of a condition.
pub const CONDITION_MESSAGE: usize = 512;
/// `subject` of a drift entry: a Sid, a policy name, a field.
pub const DRIFT_SUBJECT: usize = 128;
/// `expected` and `observed` of a drift entry.
pub const DRIFT_VALUE: usize = 128;
/// `message` of a drift entry.
pub const DRIFT_MESSAGE: usize = 320;
/// `reason` of a principal's verdict.
pub const VERDICT_REASON: usize = 192;
/// Unique id of a role or user: `AROA…`, `AIDA…`.
pub const UNIQUE_ID: usize = 128;
/// `handoffPolicy`: what the other side attaches.
pub const HANDOFF_POLICY: usize = 2048;
/// Id of a secret's version, which is the `ClientRequestToken` that made it (D§5.6).
pub const VERSION_ID: usize = 64;
/// `message` of a replica.
pub const REPLICA_MESSAGE: usize = 256;
/// A value copied from an annotation.
pub const REQUEST_TOKEN: usize = 256;

const ELLIPSIS: &str = "...";

/// Cuts a text to `max` characters, and shows that something is missing.
pub(crate) fn clip(text: &mut String, max: usize) {
    if text.chars().count() > max {
        *text = text.chars().take(max - ELLIPSIS.len()).chain(ELLIPSIS.chars()).collect();
    }
}

pub(crate) fn clip_option(text: &mut Option<String>, max: usize) {
    if let Some(text) = text {
        clip(text, max);
    }
}

#[cfg(test)]
mod tests {
    use super::clip;

    #[test]
    fn a_text_is_cut_by_characters_and_shows_it() {
        let mut text = "Zürich, Genève".to_owned();
        clip(&mut text, 14);
        assert_eq!(text, "Zürich, Genève");
        clip(&mut text, 10);
        assert_eq!(text, "Zürich,...");
    }
}
