//! Every reason and every kind of drift on one page: what failed, where, why, and what to do.

use strum::IntoEnumIterator as _;

use crate::{
    conditions::Reason,
    drift::{DriftKind, DriftLayer},
    manual::{code, table},
};

const HEAD: &str = "# Reasons and kinds of drift

<!-- Generated from crates/api by `cargo run -p sharedkey-api --bin apidoc -- docs/reference/api.md docs/reference/reasons.md`; do not edit. -->

What an object says when something is not as its spec asks, and what to do about it. The message of a condition, drift
entry or event names the account, the principal, the statement or policy and the difference; this page says the rest.
Which condition has which reason in which situation: [conditions](../conditions.md). How drift is found and healed:
[drift](../drift.md).

## Reasons

The `reason` of a condition.
";

/// The page, as Markdown.
pub fn catalogue() -> String {
    let kinds = DriftLayer::iter().map(kinds).collect::<String>();
    [HEAD.to_owned(), reasons(), "\n## Kinds of drift\n\nThe `kind` of an entry in `status.drift`.\n".to_owned(), kinds]
        .concat()
}

fn reasons() -> String {
    let rows = Reason::iter().map(|reason| {
        vec![code(reason.as_ref()), reason.doc().to_owned(), reason.place().to_owned(), reason.remedy().to_owned()]
    });
    table("All reasons", &["Reason", "What it means", "Where", "What to do"], rows)
}

fn kinds(layer: DriftLayer) -> String {
    let of_layer = DriftKind::iter().filter(|kind| kind.layer() == layer);
    let rows = of_layer.map(|kind| {
        let healed = if kind.healed() { "yes" } else { "no" };
        vec![code(kind.as_ref()), kind.doc().to_owned(), healed.to_owned(), kind.remedy().to_owned()]
    });
    let title = format!("Layer {}: {}", code(layer.as_ref()), layer.doc().trim_end_matches('.'));
    table(&title, &["Kind", "What it means", "Healed in Enforce", "What to do"], rows)
}
