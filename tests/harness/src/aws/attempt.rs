//! Can this principal use this key? Asked of AWS itself, by real calls.

use std::{collections::HashMap, fmt};

use anyhow::{Context, Result};
use aws_sdk_kms::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::DataKeySpec,
};

use super::{Account, Identity, Key};

/// A use of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `Encrypt`
    Encrypt,
    /// `Decrypt` of a ciphertext that the owner made
    Decrypt,
    /// `ReEncrypt` of such a ciphertext, from the key to itself: needs both `kms:ReEncryptFrom` and `kms:ReEncryptTo`
    ReEncrypt,
    /// `GenerateDataKey`
    GenerateDataKey,
    /// `DescribeKey`
    DescribeKey,
}

impl Operation {
    /// All of them: what the preset `EncryptDecrypt` is for.
    pub const ALL: [Self; 5] =
        [Self::Encrypt, Self::Decrypt, Self::ReEncrypt, Self::GenerateDataKey, Self::DescribeKey];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What AWS said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It was done.
    Allowed,
    /// `AccessDenied`, with AWS's reason.
    Denied(String),
    /// Any other refusal: a disabled key, a key that does not exist.
    Failed {
        /// AWS's error code.
        code: String,
        /// AWS's message.
        message: String,
    },
}

impl Attempt {
    /// Whether it was done.
    pub fn is_allowed(&self) -> bool {
        *self == Self::Allowed
    }

    /// Whether it was denied.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }
}

/// A key to be used, with something to decrypt.
#[derive(Debug, Clone)]
pub struct Probe {
    key: String,
    region: String,
    ciphertext: Blob,
    context: HashMap<String, String>,
}

impl Probe {
    /// Makes the ciphertext as the key's owner, so the key policy must let the owner's root user encrypt.
    pub async fn new(owner: &Account, key: &Key) -> Result<Self> {
        Self::with_context(owner, key, HashMap::new()).await
    }

    /// With an encryption context for the ciphertext and all attempts.
    pub async fn with_context(owner: &Account, key: &Key, context: HashMap<String, String>) -> Result<Self> {
        let kms = owner.root().in_region(&key.region).kms();
        let request = kms.encrypt().key_id(&key.arn).plaintext(Blob::new("secret"));
        let answer = request.set_encryption_context(context_of(&context)).send().await?;
        let ciphertext = answer.ciphertext_blob.context("Encrypt answered without a ciphertext")?;
        Ok(Self { key: key.arn.clone(), region: key.region.clone(), ciphertext, context })
    }

    /// The same, but naming the key in another way, such as the ARN of an alias.
    #[must_use]
    pub fn naming(&self, key: impl Into<String>) -> Self {
        Self { key: key.into(), ..self.clone() }
    }
}

impl Identity {
    /// Tries one use of the key. An `Err` is no answer of AWS at all.
    pub async fn attempt(&self, operation: Operation, probe: &Probe) -> Result<Attempt> {
        let kms = self.in_region(&probe.region).kms();
        match operation {
            Operation::Encrypt => encrypt(&kms, probe).await,
            Operation::Decrypt => decrypt(&kms, probe).await,
            Operation::ReEncrypt => re_encrypt(&kms, probe).await,
            Operation::GenerateDataKey => generate_data_key(&kms, probe).await,
            Operation::DescribeKey => answered(kms.describe_key().key_id(&probe.key).send().await),
        }
    }

    /// Tries all of them, and returns each with what AWS said, in the order of [`Operation::ALL`].
    pub async fn attempt_all(&self, probe: &Probe) -> Result<Vec<(Operation, Attempt)>> {
        let attempts = Operation::ALL.map(async |operation| Ok((operation, self.attempt(operation, probe).await?)));
        futures::future::try_join_all(attempts).await
    }
}

async fn encrypt(kms: &Client, probe: &Probe) -> Result<Attempt> {
    let request = kms.encrypt().key_id(&probe.key).plaintext(Blob::new("secret"));
    answered(request.set_encryption_context(context_of(&probe.context)).send().await)
}

async fn decrypt(kms: &Client, probe: &Probe) -> Result<Attempt> {
    let request = kms.decrypt().key_id(&probe.key).ciphertext_blob(probe.ciphertext.clone());
    answered(request.set_encryption_context(context_of(&probe.context)).send().await)
}

async fn re_encrypt(kms: &Client, probe: &Probe) -> Result<Attempt> {
    let request = kms
        .re_encrypt()
        .ciphertext_blob(probe.ciphertext.clone())
        .source_key_id(&probe.key)
        .destination_key_id(&probe.key)
        .set_source_encryption_context(context_of(&probe.context))
        .set_destination_encryption_context(context_of(&probe.context));
    answered(request.send().await)
}

async fn generate_data_key(kms: &Client, probe: &Probe) -> Result<Attempt> {
    let request = kms.generate_data_key().key_id(&probe.key).key_spec(DataKeySpec::Aes256);
    answered(request.set_encryption_context(context_of(&probe.context)).send().await)
}

/// An empty context is not the same as none on the wire.
fn context_of(context: &HashMap<String, String>) -> Option<HashMap<String, String>> {
    (!context.is_empty()).then(|| context.clone())
}

fn answered<T, E, R>(result: Result<T, SdkError<E, R>>) -> Result<Attempt>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    let error = match result {
        Ok(_) => return Ok(Attempt::Allowed),
        Err(error) if error.as_service_error().is_none() => return Err(error.into()),
        Err(error) => error,
    };
    let message = error.message().unwrap_or_default().to_owned();
    Ok(match error.code().unwrap_or_default() {
        "AccessDenied" | "AccessDeniedException" => Attempt::Denied(message),
        code => Attempt::Failed { code: code.to_owned(), message },
    })
}
