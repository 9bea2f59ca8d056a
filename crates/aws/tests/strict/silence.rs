//! No log shows a value, not even of the SDK at its most talkative.

use std::{
    io,
    process::Command,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sharedkey_aws::SecretValue;
use sharedkey_engine::plan::{Action, Step};
use sharedkey_harness::aws::Fault;
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

use crate::{
    vault::{NAME, VALUE, Vault, failed, version},
    world::strict,
};

/// Everything that was logged in this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// How the SDK prints the bytes of a body that it signs.
fn as_numbers(bytes: &[u8]) -> String {
    bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn a_message_of_aws_that_quotes_the_value_is_not_told() {
    let vault = Vault::new().await;
    let quoting =
        format!("1 validation error detected: Value '{VALUE}' at 'secretString' failed to satisfy constraint");
    for (operation, action) in [
        ("CreateSecret", vault.create(Some(&version('b')))),
        ("PutSecretValue", Action::PutSecretValue { secret: vault.arn().await, token: version('b') }),
    ] {
        let fault = Fault::error("ValidationException", &quoting).operation(operation).times(1);
        strict().await.inject(&fault.account(&vault.owner.account)).await.unwrap();
        let failure = failed(vault.write(action, Some(VALUE)).await);
        assert_eq!(failure.code, "ValidationException");
        assert!(!failure.to_string().contains(VALUE), "{failure}");
    }
}

/// The environment belongs to the whole process, so the child of this test has one of its own.
#[test]
fn no_log_line_holds_a_value() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "silence::child_whose_sdk_logs_all_that_it_can", "--ignored", "--nocapture"])
        .envs([("LOG_SIGNABLE_BODY", "true"), ("LOG_SENSITIVE_BODIES", "true")])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("1 passed"), "{log}");
}

#[tokio::test]
#[ignore = "is run by `no_log_line_holds_a_value`, which gives it an environment"]
async fn child_whose_sdk_logs_all_that_it_can() {
    let vault = Vault::empty().await;
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(log.clone()).finish();
    let listening = tracing::subscriber::set_default(subscriber);
    let (text, binary) = (b"tr0ub4dor&3".to_vec(), vec![0xde, 0xad, 0xbe, 0xef, 0xff, 0x01, 0x02, 0x03]);
    let write = async |action: Action, value: &[u8]| {
        let account = vault.owner.reach("owner");
        let step = Step { account, action, records: Vec::new(), forgets: Vec::new() };
        let value = SecretValue::of(value.to_vec());
        vault.shell.aws.apply(&step, &vault.shell.kept, Some(&value)).await.unwrap().changed
    };
    assert!(write(vault.create(Some(&version('a'))), &text).await);
    let observed = vault.observe().await;
    let secret = observed.arn().unwrap().clone();
    assert!(write(Action::PutSecretValue { secret: secret.clone(), token: version('b') }, &binary).await);
    for id in ['a', 'b'] {
        let read = vault.shell.aws.secret_value(&vault.owner.reach("owner"), &secret, Some(&version(id))).await;
        assert!(read.unwrap().is_some());
    }
    drop(listening);

    let log = log.text();
    let asked = format!(r#"{{"SecretId":"{NAME}"}}"#);
    assert!(log.contains(&as_numbers(asked.as_bytes())), "the SDK does not log what other calls carry: {log}");
    let encoded = STANDARD.encode(&binary);
    for value in [text.as_slice(), binary.as_slice(), STANDARD.encode(&text).as_bytes(), encoded.as_bytes()] {
        assert!(!log.contains(&as_numbers(value)), "the log holds {value:?}");
        assert!(!log.contains(&*String::from_utf8_lossy(value)), "the log holds {value:?}");
    }
}
