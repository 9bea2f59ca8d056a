//! Somebody undoes what the operator writes, again and again: it stops fighting and says so, and when the other one lets go, the key
//! is shared again without anybody's doing.
//!
//! A binary of its own, because the operator that the other stories share never stops fighting: they undo many writes.

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use sharedkey_api::{DriftKind, SharedKeyStatus, conditions::Reason};
use sharedkey_e2e::{INTERVAL, Service, Stage, allowed, denied, is, is_for, key_document, says};

/// Half an hour in a cluster. Long enough for a busy machine to undo three writes, and short enough to be waited for.
const WITHIN: &str = "40";
/// Writes that are undone before the operator stops.
const UNDONE: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_whose_writes_are_undone_each_time_stops_and_recovers_by_itself() -> Result<()> {
    let args = ["--read-lag-override-ms", "0", "--contention-override-seconds", WITHIN];
    let Service { home, operator: _operator } = Service::start(INTERVAL, &args).await?;

    // Given a shared key, and somebody who writes his own policy over ours each time that he sees it
    let stage = Stage::on(&home, "aws").await?;
    stage.share("orders", stage.spec()).await?;
    stage.ready("orders").await?;
    let (role, probe) = (stage.as_role().await?, stage.probe().await?);
    let other = Other { stage: &stage, policy: key_document(&stage.owner.account) };
    stage.forget_calls().await?;

    // When he has undone three writes, then the operator stops, and says so
    let undone = other.undoes_until_the_operator_stops().await?;
    assert_eq!(undone, UNDONE + 1, "the first time, nothing had been put back yet");
    let message = stage.stalled("orders", Reason::Contended).await?;
    let sid = stage.sid("orders", "partner");
    says(&message, &["three times", &sid, stage.owner.account.id(), "mode: Observe"])?;
    let status = stage.status("orders").await?;
    ensure!(is_for(&status, "KeyPolicyApplied", "False", Reason::Contended), "{status:#?}");
    ensure!(is(&status, "DelegationApplied", "True"), "the other half is nobody's business: {status:#?}");
    let kinds: Vec<DriftKind> = status.drift.iter().map(|drift| drift.kind).collect();
    assert_eq!(kinds, [DriftKind::StatementMissing]);
    denied(&role, &probe).await?;

    // And it writes nothing however often it looks
    let writes = other.writes_of_the_operator().await?;
    assert_eq!(writes, UNDONE);
    stage.look("orders").await?;
    stage.look("orders").await?;
    assert_eq!(other.writes_of_the_operator().await?, writes);

    // When the time is over and nobody undoes it any more, then the key is shared again, without a restart
    stage.ready("orders").await?;
    allowed(&role, &probe).await?;
    assert_eq!(other.writes_of_the_operator().await?, writes + 1);
    Ok(())
}

/// Another manager of the key policy, to whom our statement is drift.
struct Other<'a> {
    stage: &'a Stage,
    policy: Value,
}

impl Other<'_> {
    /// Returns how often.
    async fn undoes_until_the_operator_stops(&self) -> Result<u64> {
        for undone in 1..10 {
            let last = self.stage.status("orders").await?.last_correction;
            self.stage.owner.account.put_key_policy(&self.stage.key, &self.policy).await?;
            let stopped = |status: &SharedKeyStatus| is_for(status, "Ready", "False", Reason::Contended);
            let healed = |status: &SharedKeyStatus| status.last_correction != last && is(status, "InSync", "True");
            let answered = |status: &SharedKeyStatus| stopped(status) || healed(status);
            let key = self.stage.wait("orders", "it is healed, or the operator stops", answered).await?;
            if key.status.as_ref().is_some_and(stopped) {
                return Ok(undone);
            }
        }
        bail!("the operator fights on")
    }

    async fn writes_of_the_operator(&self) -> Result<u64> {
        let calls = self.stage.calls(&self.stage.owner.account).await?;
        Ok(calls.iter().filter(|call| call.operation == "PutKeyPolicy").map(|call| call.count).sum())
    }
}
