//! Pieces of CEL that several rules share.
//!
//! Rules run in the oldest API server that is supported, so they stay with what every supported version has.

/// The partitions of AWS (D§7).
pub(crate) const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];

/// Matches the partition of an ARN. Which one it has to be is checked where the Region is known.
pub(crate) const PARTITION: &str = "aws[a-z-]*";

/// Matches a Region of any partition: the shapes of D§7, which say the partition without a list of Regions.
pub(crate) const REGION: &str =
    "^(us|eu|ap|sa|ca|me|af|il|mx|cn|us-gov|us-iso|us-isob|us-isof|eu-isoe|eusc-de)-[a-z]+-[0-9]+$";

/// Matches a key's id: a UUID, or `mrk-` and 32 hexadecimal digits for a multi-Region key.
pub(crate) const KEY_ID: &str = "(mrk-[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})";

/// Matches `path/Name` of a role or user: printable ASCII in the path (D§4.1), but no `*` and `?`, which IAM refuses inside
/// of a principal (D§1.2).
pub(crate) const ENTITY: &str = "([!-)+-.0->@-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}";

/// The partition of a Region, which is an expression here. The DNS suffix cannot decide: GovCloud shares it with `aws` (D§7).
pub(crate) fn partition_of(region: &str) -> String {
    let others = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let choice = others.iter().rev().fold("'aws'".to_owned(), |otherwise, (prefix, id)| {
        format!("{region}.startsWith('{prefix}') ? '{id}' : {otherwise}")
    });
    format!("({choice})")
}

/// The ARN in an optional field is of a key in `self.region`, and so in its partition.
pub(crate) fn key_of_region(field: &str) -> String {
    let partition = partition_of("self.region");
    format!("!has({field}) || {field}.startsWith('arn:' + {partition} + ':kms:' + self.region + ':')")
}

/// Exactly one of the fields is set.
pub(crate) fn exactly_one_of(fields: &[&str]) -> String {
    let set: Vec<String> = fields.iter().map(|field| format!("has(self.{field})")).collect();
    format!("[{}].filter(set, set).size() == 1", set.join(", "))
}

/// How administrative KMS actions begin, those that only read how a key is set up included, and the two actions with which
/// rights are handed on or taken away (D§2.1). No use of a key begins like this. The test that compares this list with what
/// the policy crate knows says when AWS' actions have outgrown it.
const ADMINISTRATIVE: [&str; 24] = [
    "cancel",
    "connect",
    "create",
    "delete",
    "describecustom",
    "disable",
    "disconnect",
    "enable",
    "getkeyl",
    "getkeyp",
    "getparam",
    "import",
    "lista",
    "listk",
    "listres",
    "put",
    "replicate",
    "revoke",
    "rotate",
    "schedule",
    "synchronize",
    "tag",
    "untag",
    "update",
];

/// The action, which may end in a wildcard, covers no administrative action: it begins with no such verb, and its wildcard
/// does not stand where it could be completed to one. Case does not count in IAM (D§1.4).
pub(crate) fn not_administrative() -> String {
    let verbs = ADMINISTRATIVE.map(|verb| format!("'kms:{verb}'")).join(", ");
    format!(
        "[{verbs}].all(verb, !self.lowerAscii().startsWith(verb) && \
         !(self.endsWith('*') && verb.startsWith(self.lowerAscii().replace('*', ''))))"
    )
}
