//! The product on one machine: the how-to of sharing a KMS key with another account in China, done by one Kubernetes object, and what
//! happens when either half is changed behind its back; and secrets under that key. Every "can" and "cannot" is a real KMS call.

mod secrets;
mod set;
mod show;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use set::{Set, sid};
use sharedkey_e2e::{has_sid, statement};
use sharedkey_harness::aws::Identity;
use show::{act, note, say};

#[tokio::main]
async fn main() -> ExitCode {
    let keep = std::env::var("KEEP").is_ok_and(|keep| !keep.is_empty() && keep != "0");
    match run(keep).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            show::failed(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(keep: bool) -> Result<()> {
    act("A Kubernetes control plane, two AWS accounts in aws-cn, and the operator");
    let set = Set::build().await?;
    set.describe();

    before(&set).await?;
    share(&set).await?;
    partner_deletes_the_policy(&set).await?;
    owner_edits_the_statement(&set).await?;
    secrets::tell(&set).await?;
    if keep {
        return stay(&set).await;
    }
    secrets::take_back(&set).await?;
    take_back(&set).await?;
    act("That was it");
    say("All halves were made, kept and taken back; statements of others are as they were.");
    Ok(())
}

async fn before(set: &Set) -> Result<()> {
    act("Before: the partner's role and user are refused");
    for who in [&set.role, &set.user] {
        set.cannot(who).await?;
    }
    Ok(())
}

async fn share(set: &Set) -> Result<()> {
    act("kubectl apply -f examples/sharedkey.yaml");
    set.apply("sharedkey.yaml")?;
    set.wait("condition=Ready")?;
    set.kubectl(&["get", "sharedkeys", "-o", "wide"])?;
    show::status(&set.object().await?);
    for who in [&set.role, &set.user] {
        set.can(who).await?;
    }
    note("both halves stand: a statement in the owner's key policy, a policy on each principal of the partner");
    show::document("key policy in 111122223333", &set.key_policy().await?);
    Ok(())
}

async fn partner_deletes_the_policy(set: &Set) -> Result<()> {
    act("The partner deletes the role's policy, in Observe mode first: status says who cannot decrypt, and why");
    set.patch(&json!({"mode": "Observe"}))?;
    set.wait_observing().await?;
    set.delete_role_policy().await?;
    say("the partner's administrator has called iam:DeleteRolePolicy");
    set.wait("condition=InSync=false")?;
    set.kubectl(&["get", "sharedkeys"])?;
    show::status(&set.object().await?);
    set.cannot(&set.role).await?;
    set.can(&set.user).await?;

    act("The same in Enforce mode: it is healed, and status remembers what it was");
    set.patch(&json!({"mode": "Enforce"}))?;
    set.wait_healed("PolicyMissing").await?;
    set.kubectl(&["get", "sharedkeys"])?;
    show::correction(&set.object().await?);
    set.can(&set.role).await
}

async fn owner_edits_the_statement(set: &Set) -> Result<()> {
    act("Somebody edits the owner's statement, in Observe mode: status says what differs");
    set.patch(&json!({"mode": "Observe"}))?;
    set.wait_observing().await?;
    let mut policy = set.key_policy().await?;
    statement(&mut policy, &sid())["Action"] = json!(["kms:Encrypt", "kms:DescribeKey"]);
    set.owner.put_key_policy(&set.key, &policy).await?;
    say("somebody has called kms:PutKeyPolicy and taken kms:Decrypt and others out of our statement");
    set.wait("condition=InSync=false")?;
    set.kubectl(&["get", "sharedkeys"])?;
    show::status(&set.object().await?);
    ensure!(!set.can_decrypt(&set.role).await?, "the role can still decrypt");
    say("ExampleRole cannot Decrypt any more; in Observe mode nothing was written");

    act("Back to Enforce: it is healed");
    set.patch(&json!({"mode": "Enforce"}))?;
    set.wait_healed("StatementChanged").await?;
    set.kubectl(&["get", "sharedkeys"])?;
    show::correction(&set.object().await?);
    set.can(&set.role).await
}

async fn take_back(set: &Set) -> Result<()> {
    act("kubectl delete sharedkey: both halves go, and nothing of others");
    set.kubectl(&["delete", "sharedkey", "orders"])?;
    for who in [&set.role, &set.user] {
        set.cannot(who).await?;
    }
    let policy = set.key_policy().await?;
    ensure!(!has_sid(&policy, &sid()), "our statement is still there");
    ensure!(sharedkey_e2e::foreign(&policy) == set.foreign, "a statement of others has changed");
    Ok(())
}

async fn stay(set: &Set) -> Result<()> {
    act("The world stays up until Ctrl-C (KEEP=1)");
    set.how_to_use();
    tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")
}

/// Whoever is shown has a name.
struct Who {
    name: &'static str,
    identity: Identity,
}
