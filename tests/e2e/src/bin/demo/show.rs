//! What the demo prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what a demo does")]

use std::sync::atomic::{AtomicU32, Ordering};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::Value;
use sharedkey_api::{Drift, ExternalSecret, SharedKey};

static ACTS: AtomicU32 = AtomicU32::new(1);

/// A new part of the story.
pub(crate) fn act(title: &str) {
    println!("\n--- {}. {title}", ACTS.fetch_add(1, Ordering::Relaxed));
}

pub(crate) fn say(text: &str) {
    println!("    {text}");
}

pub(crate) fn note(text: &str) {
    println!("    ({text})");
}

pub(crate) fn command(args: &[&str]) {
    let quoted = args.iter().map(|arg| if arg.contains(['"', ' ']) { format!("'{arg}'") } else { (*arg).to_owned() });
    println!("\n    $ kubectl {}", quoted.collect::<Vec<_>>().join(" "));
}

pub(crate) fn output(text: &str) {
    text.trim_end().lines().for_each(say);
}

/// The lines of a manifest that are no comments.
pub(crate) fn manifest(text: &str) {
    println!();
    text.lines().filter(|line| !line.trim_start().starts_with('#')).for_each(say);
}

pub(crate) fn document(title: &str, document: &Value) {
    println!("\n    {title}:");
    let statements = document["Statement"].as_array().map(Vec::as_slice).unwrap_or_default();
    for statement in statements {
        say(&format!("  {statement}"));
    }
}

/// What status says, in the words that it says it.
pub(crate) fn status(object: &SharedKey) {
    let Some(status) = &object.status else { return };
    println!("\n    status of SharedKey/{}:", object.metadata.name.as_deref().unwrap_or_default());
    conditions(&status.conditions);
    for principal in status.consumers.iter().flat_map(|consumer| &consumer.principals) {
        let reason = principal.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        say(&format!(
            "  {} keyPolicy={} delegation={} verdict={}{reason}",
            principal.arn, principal.key_policy, principal.delegation, principal.verdict
        ));
    }
    drift("drift", &status.drift);
}

/// What the status of a secret says.
pub(crate) fn secret(object: &ExternalSecret) {
    let Some(status) = &object.status else { return };
    println!("\n    status of ExternalSecret/{}:", object.metadata.name.as_deref().unwrap_or_default());
    conditions(&status.conditions);
    for reader in &status.readers {
        readers(object, &reader.name);
    }
    drift("drift", &status.drift);
}

/// What the status of a secret says of one reader: three halves and a verdict.
pub(crate) fn readers(object: &ExternalSecret, name: &str) {
    let readers = object.status.iter().flat_map(|status| &status.readers);
    for principal in readers.filter(|reader| reader.name == name).flat_map(|reader| &reader.principals) {
        let reason = principal.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        say(&format!(
            "  {} secretPolicy={} delegation={} key={} verdict={}{reason}",
            principal.arn, principal.secret_policy, principal.delegation, principal.key, principal.verdict
        ));
    }
}

fn conditions(conditions: &[Condition]) {
    for condition in conditions {
        say(&format!(
            "  {:<17} {:<7} {:<12} {}",
            condition.type_, condition.status, condition.reason, condition.message
        ));
    }
}

/// What was healed last.
pub(crate) fn correction(object: &SharedKey) {
    let correction = object.status.as_ref().and_then(|status| status.last_correction.as_ref());
    if let Some(correction) = correction {
        println!();
        drift(&format!("healed at {}", correction.time.0), &correction.items);
    }
}

fn drift(title: &str, items: &[Drift]) {
    for item in items {
        say(&format!("{title}: {}/{} in account {}", item.layer, item.kind, item.account));
        say(&format!("  principal  {}", item.principal.as_deref().unwrap_or("-")));
        say(&format!("  expected   {}", item.expected.as_deref().unwrap_or("-")));
        say(&format!("  observed   {}", item.observed.as_deref().unwrap_or("-")));
        say(&format!("  {}", item.message));
    }
}

pub(crate) fn failed(error: &anyhow::Error) {
    eprintln!("\nthe demo failed: {error:#}");
}
