//! A thousand sweeps on a quiet day. Nothing is drift, nothing is written, and no more is asked than `docs/aws-calls.md` says.
//!
//! A binary of its own, because it counts the calls and the writes of a whole operator.

mod keys;
mod secrets;

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use kube::{ResourceExt as _, api::ListParams};
use sharedkey_e2e::{IN_ACCOUNTS, Stage};
use sharedkey_harness::aws::Calls;
use tokio::sync::Mutex;

/// One operator at a time works under the owner id of this world.
static ALONE: Mutex<()> = Mutex::const_new(());

/// How often every object is swept.
const SWEEPS: u32 = 1000;
/// The hidden override of the objects' own interval.
const INTERVAL: Duration = Duration::from_millis(100);
/// Longer than a thousand sweeps take on a busy machine.
const LONGEST: Duration = Duration::from_mins(5);
/// At ten sweeps a second a shared reading is used for 50 ms, where it is 5 s otherwise: on a busy machine an object that comes
/// later than that reads anew.
const BUSY: f64 = 0.1;

fn by_operator() -> Calls {
    Calls::all().principal(IN_ACCOUNTS)
}

fn is_about(in_a_sweep: f64, times: u32) -> bool {
    (in_a_sweep / f64::from(times) - 1.0).abs() <= BUSY
}

/// Ends all objects: the next operator would sweep them too.
async fn end(stage: &Stage) -> Result<()> {
    for account in [&stage.owner.account, &stage.partner.account] {
        stage.home.world.aws.set_lag(account, Duration::ZERO, false).await?;
    }
    for secret in stage.secrets().list(&ListParams::default()).await? {
        stage.delete_secret(&secret.name_any()).await?;
    }
    for key in stage.keys().list(&ListParams::default()).await? {
        stage.delete(&key.name_any()).await?;
    }
    Ok(())
}

/// How often each operation was called, whatever came of it. An AwsAccount is looked at every five minutes for its own sake.
async fn asked(stage: &Stage) -> Result<BTreeMap<String, f64>> {
    let mut asked = BTreeMap::new();
    for count in stage.home.world.aws.counts(&by_operator()).await? {
        if !["GetCallerIdentity", "GetAccountSummary"].contains(&count.operation.as_str()) {
            *asked.entry(count.operation).or_default() += f64::from(u32::try_from(count.count)?);
        }
    }
    Ok(asked)
}
