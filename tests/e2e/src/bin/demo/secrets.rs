//! Secrets under the shared key: in the owner's account, and in the other one, made by the operator or by somebody before. Every
//! "reads" and "is denied" is a real `GetSecretValue`, and no value is printed.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_iam::error::ProvideErrorMetadata as _;
use serde_json::json;
use sharedkey_api::ExternalSecret;
use sharedkey_e2e::{Glance, Hands, create_secret_as};

use crate::{
    Who,
    set::{Set, sid},
    show::{self, act, note, say},
};

const OWNERS: &str = "my-custom-type";
const PARTNERS: &str = "external-cmk";
const PARTNERS_NAME: &str = "quickstart/ExternalCMKSecret";
const PASSWORD: &str = "correct horse battery staple";
/// The value of a secret that is made before the operator comes.
const BEFORE: &str = "battery staple correct horse";

/// Both secrets, from nothing to being read.
pub(crate) async fn tell(set: &Set) -> Result<()> {
    prepare(set)?;
    of_the_owner(set).await?;
    without_one_half(set).await?;
    made_in_the_other_account(set).await?;
    taken_over(set).await
}

fn prepare(set: &Set) -> Result<()> {
    act("Secrets under the key: a grant, a value, and consumers who read and write secrets");
    let operator = set.operator_account();
    let account = format!("--serviceaccount={operator}");
    set.kubectl(&["create", "rolebinding", "sharedkey-secrets", "--clusterrole=sharedkey-secrets", &account])?;
    let file = format!("--from-file=password={}", set.write("password", PASSWORD)?);
    set.kubectl(&["create", "secret", "generic", OWNERS, &file])?;
    set.apply("sharedkey-for-secrets.yaml")?;
    set.wait("condition=Ready")
}

async fn of_the_owner(set: &Set) -> Result<()> {
    act("examples/externalsecret.yaml without its readers: the secret is made, and nobody reads it");
    let who = [&set.reader, &set.role];
    let arn = keep_without_readers(set, OWNERS, "externalsecret.yaml").await?;
    set.kubectl(&["get", "xsec"])?;
    denied(&who, &arn).await?;

    act("kubectl apply -f examples/externalsecret.yaml: a role of each account reads it");
    set.apply("externalsecret.yaml")?;
    set.wait_for(OWNERS, "condition=Ready")?;
    show::secret(&set.secret(OWNERS).await?);
    read(&who, &arn, &value()).await
}

/// What the operator makes of the Kubernetes Secret.
fn value() -> String {
    json!({"password": PASSWORD}).to_string()
}

/// Takes away one of the three halves after the other. It is put back by the hands that took it, for the objects only watch.
async fn without_one_half(set: &Set) -> Result<()> {
    act("Each of the three halves is needed: in Observe mode, somebody takes away one after the other");
    set.mode(OWNERS, "Observe")?;
    set.patch(&json!({"mode": "Observe"}))?;
    set.wait_observing().await?;
    let arn = arn(&set.secret(OWNERS).await?)?;
    let secrets = set.owner.root().secrets_manager();

    let policy = secrets.get_resource_policy().secret_id(&arn).send().await?.resource_policy.context("a policy")?;
    secrets.delete_resource_policy().secret_id(&arn).send().await?;
    without(set, "the secret's resource policy", &arn).await?;
    secrets.put_resource_policy().secret_id(&arn).resource_policy(policy).send().await?;
    back(set, &arn).await?;

    let (hands, role) = (Hands::of(&set.partner), set.partner.arn("role/ExampleRole"));
    let policies = hands.inline(&role).await?;
    let (name, document) = policies.iter().find(|(name, _)| name.contains("@secret=")).context("a policy")?;
    hands.delete_inline(&role, name).await?;
    without(set, "the IAM policy of ExampleRole on the secret", &arn).await?;
    hands.put_inline(&role, name, document).await?;
    back(set, &arn).await?;

    let policy = set.key_policy().await?;
    let mut less = policy.clone();
    less["Statement"].as_array_mut().context("statements")?.retain(|statement| statement["Sid"] != sid());
    set.owner.put_key_policy(&set.key, &less).await?;
    without(set, "the partner's statement in the key policy", &arn).await?;
    set.owner.put_key_policy(&set.key, &policy).await?;
    back(set, &arn).await?;
    set.mode(OWNERS, "Enforce")?;
    set.patch(&json!({"mode": "Enforce"}))
}

async fn without(set: &Set, half: &str, arn: &str) -> Result<()> {
    say(&format!("without {half}:"));
    denied(&[&set.role], arn).await?;
    set.wait_for(OWNERS, "condition=AccessVerified=false")?;
    show::readers(&set.secret(OWNERS).await?, "partner");
    Ok(())
}

async fn back(set: &Set, arn: &str) -> Result<()> {
    read(&[&set.role], arn, &value()).await?;
    set.wait_for(OWNERS, "condition=AccessVerified")
}

async fn made_in_the_other_account(set: &Set) -> Result<()> {
    act("examples/externalsecret-external.yaml: a secret in the other account, under the key of this one");
    let arn = keep_without_readers(set, PARTNERS, "externalsecret-external.yaml").await?;
    denied(&[&set.reader], &arn).await?;
    set.apply("externalsecret-external.yaml")?;
    set.wait_for(PARTNERS, "condition=Ready")?;
    show::secret(&set.secret(PARTNERS).await?);
    read(&[&set.reader], &arn, &value()).await?;
    set.kubectl(&["delete", "xsec", PARTNERS])?;
    denied(&[&set.reader], &arn).await?;
    set.partner
        .root()
        .secrets_manager()
        .delete_secret()
        .secret_id(&arn)
        .force_delete_without_recovery(true)
        .send()
        .await?;
    note("the secret stays when its object goes; the partner's administrator has deleted it, so that its name is free");
    Ok(())
}

async fn taken_over(set: &Set) -> Result<()> {
    act("The same secret, made before by ExampleUser with its own credentials, and taken over");
    let arn = create_secret_as(&set.user.identity, &set.key, PARTNERS_NAME, BEFORE).await?;
    say(&format!("ExampleUser has called secretsmanager:CreateSecret under {}", set.key.arn));
    denied(&[&set.reader], &arn).await?;
    set.apply("externalsecret-adopted.yaml")?;
    set.wait_for(PARTNERS, "condition=Ready")?;
    let secret = set.secret(PARTNERS).await?;
    show::secret(&secret);
    ensure!(self::arn(&secret)? == arn, "it is another secret");
    read(&[&set.reader], &arn, BEFORE).await
}

/// Both objects go, and nobody reads the secrets any longer.
pub(crate) async fn take_back(set: &Set) -> Result<()> {
    act("kubectl delete xsec: nobody reads the secrets any longer, and they stay");
    let (owners, partners) = (arn(&set.secret(OWNERS).await?)?, arn(&set.secret(PARTNERS).await?)?);
    set.kubectl(&["delete", "xsec", OWNERS, PARTNERS])?;
    denied(&[&set.reader, &set.role], &owners).await?;
    denied(&[&set.reader], &partners).await?;
    for (account, arn) in [(&set.owner, &owners), (&set.partner, &partners)] {
        let found = account.root().secrets_manager().describe_secret().secret_id(arn).send().await;
        let found = found.map_err(|error| anyhow::anyhow!("{:?}", error.code()))?;
        ensure!(found.deleted_date.is_none(), "{arn} is to be deleted");
    }
    Ok(())
}

/// Applies an example as far as it does not say who reads, and returns the secret's ARN.
async fn keep_without_readers(set: &Set, name: &str, example: &str) -> Result<String> {
    set.apply_until("  readers:", example)?;
    set.wait_for(name, "condition=Ready")?;
    arn(&set.secret(name).await?)
}

fn arn(secret: &ExternalSecret) -> Result<String> {
    secret.status.as_ref().and_then(|status| status.secret_arn.clone()).context("status names the secret")
}

async fn read(who: &[&Who], secret: &str, value: &str) -> Result<()> {
    for who in who {
        let glance = Glance::at(&who.identity, secret).await?;
        // What is seen in its place may be a value.
        ensure!(glance.shows(value.as_bytes()), "{} does not read {secret}", who.name);
        say(&format!("{} reads the value", who.name));
    }
    Ok(())
}

async fn denied(who: &[&Who], secret: &str) -> Result<()> {
    for who in who {
        match Glance::at(&who.identity, secret).await? {
            Glance::Denied(why) => say(&format!("{} is denied: {why}", who.name)),
            Glance::Failed { code, message } => anyhow::bail!("{} fails with {code}: {message}", who.name),
            Glance::Value(_) => anyhow::bail!("{} reads {secret}", who.name),
        }
    }
    Ok(())
}
