//! The Kubernetes API of the operator: the kinds, the rules that the API server enforces for them, and the words that
//! their status uses.
//!
//! Every mistake that one object alone shows is refused by the API server, with a message that names the field and what is
//! allowed. What takes a second object to see is a condition, and is decided in the engine. Nothing here reads a clock,
//! talks to anybody or knows what AWS answered.

#![expect(
    clippy::doc_markdown,
    reason = "the doc comments of fields are what `kubectl explain` shows, and it knows no Markdown"
)]
#![expect(clippy::duplicated_attributes, reason = "clippy takes printer columns of the same type for duplicates")]
#![expect(unreachable_pub, reason = "kube's KubeSchema repeats each struct, with its `pub`, inside of a function")]

mod account;
mod bounds;
mod catalogue;
mod cel;
pub mod conditions;
mod crds;
mod drift;
mod external_secret;
mod halves;
mod interval;
pub mod limits;
mod manual;
mod mode;
mod principals;
mod reference;
mod schema;
mod shared_key;

pub use account::{
    AllowRule, Ambient, AssumeRole, AwsAccount, AwsAccountSpec, AwsAccountStatus, Credentials, Endpoints, Identity,
    LocalSecretRef, NamespaceRule, Quotas, SecretKeyRef, Sharing, WebIdentity,
};
pub use catalogue::catalogue;
pub use conditions::{ConditionType, Reason};
pub use crds::{CrdFile, crd_files, crds};
pub use drift::{Drift, DriftKind, DriftLayer, LastCorrection};
pub use external_secret::{
    Adopt, EncryptionKey, ExternalSecret, ExternalSecretSpec, ExternalSecretStatus, Reader, ReaderPrincipalStatus,
    ReaderStatus, Replica, ReplicaStatus, SecretDeletionPolicy, Source, SourceSecretRef, Target,
};
pub use halves::{Basis, HalfState, VerdictValue};
pub use manual::reference;
pub use mode::Mode;
pub use principals::{Delegation, PrincipalRef};
pub use reference::{AccountRef, SharedKeyRef};
pub use shared_key::{
    Access, Collision, CollisionOutcome, Consumer, ConsumerConditions, ConsumerStatus, DeletionPolicy, KeySource,
    LastCollision, PrincipalStatus, SharedKey, SharedKeySpec, SharedKeyStatus, Trust,
};

/// API group of every kind.
pub const GROUP: &str = "sharedkey.dev";

/// Finalizer on every object for which something may have to be undone in AWS, and on every `AwsAccount` in use.
pub const FINALIZER: &str = "sharedkey.dev/finalizer";

/// The ClusterRole that is shipped for a namespace to bind: with it the operator reads and writes the Secrets there. The operator
/// has no right to Secrets of its own but in its own namespace.
pub const SECRETS_ROLE: &str = "sharedkey-secrets";

/// Annotation: a new value asks for a reconcile now. The value that was handled last stands in
/// `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUESTED_AT: &str = "sharedkey.dev/reconcile-requested-at";

/// The same request as Flux' tools write it (`flux reconcile`).
pub const FLUX_REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";

/// Annotation: `"true"` lets the operator replace a statement or policy that carries the object's own name, that the
/// operator does not remember having written, and that differs from what the spec wants.
pub const TAKE_OVER: &str = "sharedkey.dev/take-over";

/// Annotation: `"true"` lets an object go whose owner account cannot be reached; what is left behind is named in an event.
pub const ABANDON: &str = "sharedkey.dev/abandon";

/// Annotation: `"true"` lets a SharedKey go although ExternalSecrets of its namespace still name it.
pub const RELEASE_SECRETS: &str = "sharedkey.dev/release-secrets";
