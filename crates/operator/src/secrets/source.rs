//! From a Kubernetes Secret to the value of a secret.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use sharedkey_api::{SourceSecretRef, conditions::Reason};
use sharedkey_aws::SecretValue;
use sharedkey_engine::problem::{Class, Trouble};

/// AWS takes no more (D§5.6).
const LARGEST: usize = 65_536;

/// The value that a Secret holds for a reference to it: one key as it is, or all of it as a JSON object.
pub(super) fn value(reference: &SourceSecretRef, secret: Option<Secret>) -> Result<SecretValue, Trouble> {
    let name = &reference.name;
    let Some(secret) = secret else {
        return Err(trouble(Reason::SourceMissing, format!("Secret {name:?} does not exist")));
    };
    let mut data = secret.data.unwrap_or_default();
    let bytes = match &reference.key {
        Some(key) => match data.remove(key) {
            Some(bytes) => bytes.0,
            None => return Err(trouble(Reason::SourceMissing, format!("Secret {name:?} has no key {key:?}"))),
        },
        None => object(name, &data)?,
    };
    match bytes.len() {
        0 => Err(trouble(Reason::SourceInvalid, format!("{} is empty", place(reference)))),
        size if size > LARGEST => {
            let message = format!("{} has {size} bytes, and AWS takes {LARGEST}", place(reference));
            Err(trouble(Reason::SourceTooLarge, message))
        }
        _ => Ok(SecretValue::of(bytes)),
    }
}

/// In the order of the keys, so that the same data is the same value.
fn object(name: &str, data: &BTreeMap<String, ByteString>) -> Result<Vec<u8>, Trouble> {
    if data.is_empty() {
        return Err(trouble(Reason::SourceInvalid, format!("Secret {name:?} is empty")));
    }
    let texts = data.iter().map(|(key, bytes)| {
        let text = std::str::from_utf8(&bytes.0).map_err(|_| {
            let message = format!("key {key:?} of Secret {name:?} is not text, so the Secret cannot be a JSON object");
            trouble(Reason::SourceInvalid, message)
        })?;
        Ok((key, text))
    });
    let texts: BTreeMap<_, _> = texts.collect::<Result<_, _>>()?;
    serde_json::to_vec(&texts)
        .map_err(|_| trouble(Reason::SourceInvalid, format!("Secret {name:?} cannot be a JSON object")))
}

fn place(reference: &SourceSecretRef) -> String {
    match &reference.key {
        Some(key) => format!("key {key:?} of Secret {:?}", reference.name),
        None => format!("Secret {:?} as a JSON object", reference.name),
    }
}

fn trouble(reason: Reason, message: String) -> Trouble {
    Trouble { reason, message, class: Class::UserActionNeeded }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDDEN: &str = "correct horse";

    fn secret(data: &[(&str, &[u8])]) -> Secret {
        let data = data.iter().map(|(key, bytes)| ((*key).to_owned(), ByteString(bytes.to_vec()))).collect();
        Secret { data: Some(data), ..Secret::default() }
    }

    fn reference(key: Option<&str>) -> SourceSecretRef {
        SourceSecretRef { name: "db".to_owned(), key: key.map(str::to_owned) }
    }

    #[test]
    fn one_key_is_taken_as_it_is_and_all_of_them_as_a_json_object() {
        let data: &[(&str, &[u8])] = &[("user", b"a\"b"), ("password", HIDDEN.as_bytes())];
        for (key, expected) in [(Some("user"), "a\"b"), (None, r#"{"password":"correct horse","user":"a\"b"}"#)] {
            let value = value(&reference(key), Some(secret(data))).unwrap();
            assert_eq!((value.expose(), value.is_binary()), (expected.as_bytes(), false));
        }
        let binary = value(&reference(Some("user")), Some(secret(&[("user", &[0, 0xff])]))).unwrap();
        assert!(binary.is_binary());
    }

    #[test]
    fn what_cannot_be_a_value_is_told_without_it() {
        let large = vec![b'x'; LARGEST + 1];
        let hidden = [HIDDEN.as_bytes(), &[0xff]].concat();
        for (key, secret, reason) in [
            (None, None, Reason::SourceMissing),
            (Some("other"), Some(secret(&[("password", HIDDEN.as_bytes())])), Reason::SourceMissing),
            (Some("password"), Some(secret(&[("password", b"")])), Reason::SourceInvalid),
            (None, Some(secret(&[])), Reason::SourceInvalid),
            (None, Some(secret(&[("password", &hidden)])), Reason::SourceInvalid),
            (Some("password"), Some(secret(&[("password", &large)])), Reason::SourceTooLarge),
            (None, Some(secret(&[("password", &large[..LARGEST])])), Reason::SourceTooLarge),
        ] {
            let trouble = value(&reference(key), secret).unwrap_err();
            assert_eq!(trouble.reason, reason, "{trouble:?}");
            assert!(!trouble.message.contains(HIDDEN) && trouble.message.contains("db"), "{trouble:?}");
        }
        assert!(value(&reference(Some("password")), Some(secret(&[("password", &large[..LARGEST])]))).is_ok());
    }
}
