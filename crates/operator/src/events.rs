//! Events of objects. One that cannot be published is logged; it never fails a reconcile.

use kube::{
    Client, Resource,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use sharedkey_engine::summarise::Notice;

/// The API server refuses notes over 1 kB, and the recorder does not cut them.
const NOTE_BYTES: usize = 1000;

/// Publishes events.
#[derive(Clone)]
pub(crate) struct Events(Recorder);

impl Events {
    pub(crate) fn new(client: Client) -> Self {
        let instance = std::env::var("HOSTNAME").ok();
        Self(Recorder::new(client, Reporter { controller: "sharedkey-operator".to_owned(), instance }))
    }

    /// Publishes what a summary found worth telling.
    pub(crate) async fn publish<K: Resource<DynamicType = ()>>(&self, object: &K, notices: &[Notice]) {
        for notice in notices {
            let event = Event {
                type_: if notice.warning { EventType::Warning } else { EventType::Normal },
                reason: notice.reason.clone(),
                note: Some(cut(&notice.note).to_owned()),
                action: "Reconcile".to_owned(),
                secondary: None,
            };
            if let Err(error) = self.0.publish(&event, &object.object_ref(&())).await {
                tracing::warn!(%error, reason = notice.reason, "an event could not be published");
            }
        }
    }
}

fn cut(note: &str) -> &str {
    let end = (0..=NOTE_BYTES.min(note.len())).rev().find(|end| note.is_char_boundary(*end)).unwrap_or(0);
    &note[..end]
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn notes_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"é".repeat(600)).len(), 1000);
        assert_eq!(cut(&format!("x{}", "é".repeat(600))).len(), 999);
    }
}
