//! From the value of a secret to a Kubernetes Secret: what is written, whose it is, and whether it is still so.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Resource as _, ResourceExt as _};
use serde::Deserialize;
use serde_json::value::RawValue;
use sharedkey_api::{ExternalSecret, GROUP, SecretDeletionPolicy, Target, conditions::Reason};
use sharedkey_aws::SecretValue;
use sharedkey_engine::{
    names::digest,
    problem::{Class, Trouble},
    secret::observed::TargetReading,
};

use super::{
    HashKey,
    access::{Failed, Secrets},
};

/// The object that made the Secret. The owner reference says so too, but a Secret that is to stay has none.
const MADE_BY: &str = "sharedkey.dev/external-secret";
/// The version of the secret that it was written from.
const VERSION: &str = "sharedkey.dev/version-id";
/// The type and mapping that it was written under.
const WRITTEN_AS: &str = "sharedkey.dev/written-as";
/// What was written, hashed with the operator's key: it tells an edit, and nothing of the value.
const CONTENT: &str = "sharedkey.dev/content-hash";
/// Longest key that Kubernetes takes.
const LONGEST_KEY: usize = 253;

type Data = BTreeMap<String, ByteString>;

/// What stands in the target.
pub(super) fn reading(
    object: &ExternalSecret,
    target: &Target,
    found: Option<&Secret>,
    hash: &HashKey,
) -> TargetReading {
    let Some(found) = found else { return TargetReading::Missing };
    if let Some(message) = foreign(object, &target.name, found) {
        return TargetReading::NotOwned { message };
    }
    let annotation = |key| found.annotations().get(key).map(String::as_str);
    let empty = Data::new();
    let content = content(object, found.data.as_ref().unwrap_or(&empty), hash);
    TargetReading::Found {
        version: annotation(VERSION).map(str::to_owned),
        as_asked: found.type_.as_deref() == Some(&target.type_)
            && annotation(WRITTEN_AS) == Some(&written_as(target))
            && controller(found).map(|owner| &owner.uid) == wanted_owner(object, target),
        intact: annotation(CONTENT) == Some(&content),
    }
}

/// Kubernetes knows the owner by its uid: what names an earlier object of the name is taken away by the garbage collector.
fn wanted_owner<'a>(object: &'a ExternalSecret, target: &Target) -> Option<&'a String> {
    object.metadata.uid.as_ref().filter(|_| target.deletion_policy == SecretDeletionPolicy::Delete)
}

/// Why a Secret is not the object's, where it is not. What an earlier object of its name made is its own.
fn foreign(object: &ExternalSecret, target: &str, found: &Secret) -> Option<String> {
    let name = object.name_any();
    let kind = ExternalSecret::kind(&());
    let ours = |owner: &&OwnerReference| {
        owner.kind == kind && owner.name == name && owner.api_version.starts_with(&format!("{GROUP}/"))
    };
    let owner = controller(found).filter(|owner| !ours(owner));
    let whose = match (owner, found.annotations().get(MADE_BY)) {
        (Some(owner), _) => format!("{} {:?}", owner.kind, owner.name),
        (None, Some(by)) if *by == name => return None,
        (None, Some(other)) => format!("ExternalSecret {other:?}"),
        (None, None) => "somebody else".to_owned(),
    };
    Some(format!("Secret {target:?} was made by {whose} and is left alone; choose another name for target"))
}

fn controller(secret: &Secret) -> Option<&OwnerReference> {
    secret.owner_references().iter().find(|owner| owner.controller == Some(true))
}

fn written_as(target: &Target) -> String {
    let keys = target.keys.iter().flat_map(|(member, key)| [member.as_str(), key]);
    let parts: Vec<&str> =
        [target.type_.as_str(), target.key.as_deref().unwrap_or_default()].into_iter().chain(keys).collect();
    digest(&parts)
}

fn content(object: &ExternalSecret, data: &Data, hash: &HashKey) -> String {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let parts = data.iter().flat_map(|(key, bytes)| [key.as_bytes(), &bytes.0]);
    hash.hash([b"target".as_slice(), namespace.as_bytes(), name.as_bytes()].into_iter().chain(parts))
}

/// The data that a value becomes.
pub(super) fn data(target: &Target, value: &SecretValue) -> Result<Data, Trouble> {
    if let Some(key) = &target.key {
        return Ok(BTreeMap::from([(key.clone(), ByteString(value.expose().to_vec()))]));
    }
    let members: BTreeMap<String, &RawValue> = parsed(value.expose())?;
    if target.keys.is_empty() {
        return members.into_iter().map(|(member, value)| Ok((legal(member)?, bytes(value)?))).collect();
    }
    let mut taken = Data::new();
    for (member, key) in &target.keys {
        let value = members.get(member);
        let value =
            value.ok_or_else(|| invalid(&format!("the value has no member {member:?}, which target.keys asks for")))?;
        taken.insert(key.clone(), bytes(value)?);
    }
    Ok(taken)
}

/// What the parser says of a value may repeat it, so it is not told.
fn parsed<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Trouble> {
    serde_json::from_slice(text).map_err(|_| invalid("the value is no JSON object; take the whole value by target.key"))
}

/// Members may be named as no key of a Secret can be. Which one it is would tell of the value.
fn legal(member: String) -> Result<String, Trouble> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if (1..=LONGEST_KEY).contains(&member.len())
        && member.bytes().all(legal)
        && member != "."
        && !member.starts_with("..")
    {
        Ok(member)
    } else {
        Err(invalid("a member of the value cannot be a key of a Secret; choose the members by target.keys"))
    }
}

/// A text without its quotes, and anything else as it stands in the value: a number that was read would be written in fewer digits.
fn bytes(value: &RawValue) -> Result<ByteString, Trouble> {
    let json = value.get().as_bytes();
    let text = if json.starts_with(b"\"") { parsed::<String>(json)?.into_bytes() } else { json.to_vec() };
    Ok(ByteString(text))
}

fn invalid(message: &str) -> Trouble {
    Trouble { reason: Reason::TargetInvalid, message: message.to_owned(), class: Class::UserActionNeeded }
}

/// Writes a value to the target, unless it is somebody else's. A Secret's type cannot be changed, so another type makes it anew.
pub(super) async fn write(
    secrets: &Secrets<'_>,
    object: &ExternalSecret,
    target: &Target,
    (version, value): (&str, &SecretValue),
    hash: &HashKey,
) -> Result<(), Failed> {
    let data = data(target, value).map_err(Failed::Refused)?;
    let name = &target.name;
    let found = secrets.get(name).await?;
    if let Some(message) = found.as_ref().and_then(|found| foreign(object, name, found)) {
        return Err(Failed::Refused(Trouble {
            reason: Reason::TargetNotOwned,
            message,
            class: Class::UserActionNeeded,
        }));
    }
    let secret = match found {
        Some(found) if found.type_.as_deref() == Some(&target.type_) && found.immutable != Some(true) => {
            let secret = secret(object, target, found.metadata, version, data, hash);
            return secrets.replace(name, &secret).await.map(drop);
        }
        Some(found) => {
            secrets.delete(name, &found).await?;
            secret(object, target, ObjectMeta::default(), version, data, hash)
        }
        None => secret(object, target, ObjectMeta::default(), version, data, hash),
    };
    secrets.create(name, &secret).await.map(drop)
}

/// The Secret as it has to be. Labels and annotations of others stay.
fn secret(
    object: &ExternalSecret,
    target: &Target,
    mut metadata: ObjectMeta,
    version: &str,
    data: Data,
    hash: &HashKey,
) -> Secret {
    metadata.name = Some(target.name.clone());
    let annotations = [
        (MADE_BY, object.name_any()),
        (VERSION, version.to_owned()),
        (WRITTEN_AS, written_as(target)),
        (CONTENT, content(object, &data, hash)),
    ];
    metadata.annotations.get_or_insert_default().extend(annotations.map(|(key, value)| (key.to_owned(), value)));
    let owners = metadata.owner_references.get_or_insert_default();
    owners.retain(|owner| owner.controller != Some(true));
    if target.deletion_policy == SecretDeletionPolicy::Delete {
        owners.extend(object.controller_owner_ref(&()));
    }
    metadata.managed_fields = None;
    Secret { metadata, type_: Some(target.type_.clone()), data: Some(data), ..Secret::default() }
}

/// Deletes a target that the spec no longer names, if the object made it.
pub(super) async fn delete(secrets: &Secrets<'_>, object: &ExternalSecret, name: &str) -> Result<(), Failed> {
    match secrets.get(name).await? {
        Some(found) if foreign(object, name, &found).is_none() => secrets.delete(name, &found).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sharedkey_api::ExternalSecretSpec;

    use super::{super::hashing::testing::key, *};

    fn object() -> ExternalSecret {
        let mut object = ExternalSecret::new("db", ExternalSecretSpec::default());
        object.metadata.namespace = Some("team".to_owned());
        object.metadata.uid = Some("0c3e".to_owned());
        object
    }

    fn target(mut fields: Value) -> Target {
        fields["name"] = json!("copy");
        serde_json::from_value(fields).unwrap()
    }

    fn written(target: &Target, value: &str) -> Secret {
        let data = data(target, &SecretValue::of(value.into())).unwrap();
        secret(&object(), target, ObjectMeta::default(), "v1", data, &key(1))
    }

    #[test]
    fn a_value_becomes_one_key_or_members_of_an_object() {
        let value = r#"{"user":"a\"b","port":5432,"tls":{"on":true},"odd name":"x"}"#;
        for (fields, expected) in [
            (json!({"key": "all"}), vec![("all", value)]),
            (json!({"keys": {"user": "USER", "odd name": "odd"}}), vec![("USER", "a\"b"), ("odd", "x")]),
            (json!({"keys": {"port": "p", "tls": "t"}}), vec![("p", "5432"), ("t", r#"{"on":true}"#)]),
        ] {
            let data = data(&target(fields), &SecretValue::of(value.into())).unwrap();
            let texts: Vec<_> =
                data.iter().map(|(key, bytes)| (key.as_str(), str::from_utf8(&bytes.0).unwrap())).collect();
            assert_eq!(texts, expected);
        }
        let data = data(&target(json!({})), &SecretValue::of(br#"{"b":"2","a":"1"}"#.to_vec())).unwrap();
        assert_eq!(data.keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn what_is_no_text_is_written_as_it_stands_in_the_value() {
        // Given members whose digits, order and spaces a parser does not keep
        let members =
            ["1.10", "12345678901234567890123", "-0", "1E2", r#"{"b": 1.0, "a":[ "\u0041" ]}"#, "null", "true"];
        for stands in members {
            // When they are written
            let value = format!(r#"{{ "pin" : {stands} }}"#);
            // Then not a byte of them is another one
            for fields in [json!({}), json!({"keys": {"pin": "pin"}})] {
                let data = data(&target(fields), &SecretValue::of(value.clone().into())).unwrap();
                assert_eq!(str::from_utf8(&data["pin"].0).unwrap(), stands);
            }
        }
        let texts = data(&target(json!({})), &SecretValue::of(br#"{"pin":"\u0031\n"}"#.to_vec())).unwrap();
        assert_eq!(texts["pin"].0, b"1\n");
    }

    #[test]
    fn a_value_that_does_not_fit_is_told_without_it() {
        for (fields, value) in [
            (json!({}), "hidden"),
            (json!({}), r#"["hidden"]"#),
            (json!({}), r#"{"hidden name":"hidden"}"#),
            (json!({"keys": {"user": "u"}}), r#"{"hidden":"hidden"}"#),
            (json!({}), r#"{"user":"hidden\ud800"}"#),
            (json!({"keys": {"user": "u"}}), r#"{"user":hidden}"#),
        ] {
            let trouble = data(&target(fields), &SecretValue::of(value.into())).unwrap_err();
            assert!(trouble.reason == Reason::TargetInvalid && !trouble.message.contains("hidden"), "{trouble:?}");
        }
    }

    #[test]
    fn an_edit_of_data_type_or_mapping_is_seen() {
        let target_ = target(json!({"key": "all"}));
        let seen = |target: &Target, found: &Secret| match reading(&object(), target, Some(found), &key(1)) {
            TargetReading::Found { version, as_asked, intact } => (version, as_asked, intact),
            other => panic!("{other:?}"),
        };
        let found = written(&target_, "one");
        assert_eq!(seen(&target_, &found), (Some("v1".to_owned()), true, true));
        assert!(!seen(&target(json!({"key": "other"})), &found).1);
        assert!(!seen(&target(json!({"key": "all", "type": "kubernetes.io/tls"})), &found).1);
        assert!(!seen(&target(json!({"key": "all", "deletionPolicy": "Retain"})), &found).1);
        let mut edited = found.clone();
        edited.data = written(&target_, "two").data;
        assert!(!seen(&target_, &edited).2);
        let mut emptied = found;
        emptied.data = None;
        assert!(!seen(&target_, &emptied).2);
    }

    #[test]
    fn what_an_earlier_object_of_the_name_owns_is_written_anew_under_the_one_that_there_is() {
        // Given a target that another object of the name made, which is gone
        let target = target(json!({"key": "all"}));
        let mut found = written(&target, "one");
        found.metadata.owner_references.as_mut().unwrap()[0].uid = "9f1b".to_owned();
        let as_asked = |found: &Secret| match reading(&object(), &target, Some(found), &key(1)) {
            TargetReading::Found { as_asked, intact: true, .. } => as_asked,
            other => panic!("{other:?}"),
        };
        assert!(!as_asked(&found));
        // When it is written
        let data = found.data.clone().unwrap();
        let anew = secret(&object(), &target, found.metadata, "v1", data, &key(1));
        // Then it has the owner that there is, and no other one
        let owners: Vec<&str> = anew.owner_references().iter().map(|owner| owner.uid.as_str()).collect();
        assert!(as_asked(&anew) && owners == ["0c3e"], "{owners:?}");
    }

    #[test]
    fn a_secret_of_somebody_else_is_told_by_whose_it_is() {
        let target = target(json!({"key": "all", "deletionPolicy": "Retain"}));
        let other = |kind: &str, name: &str| {
            let mut secret = written(&target, "one");
            secret.metadata.owner_references = Some(vec![OwnerReference {
                api_version: "sharedkey.dev/v1alpha1".to_owned(),
                kind: kind.to_owned(),
                name: name.to_owned(),
                controller: Some(true),
                ..OwnerReference::default()
            }]);
            secret
        };
        let mut unmarked = written(&target, "one");
        unmarked.metadata.annotations = None;
        let mut of_another = written(&target, "one");
        of_another.metadata.annotations.as_mut().unwrap().insert(MADE_BY.to_owned(), "orders".to_owned());
        for (found, whose) in [
            (other("Certificate", "db"), "Certificate \"db\""),
            (other("ExternalSecret", "orders"), "ExternalSecret \"orders\""),
            (of_another, "ExternalSecret \"orders\""),
            (unmarked, "somebody else"),
        ] {
            let TargetReading::NotOwned { message } = reading(&object(), &target, Some(&found), &key(1)) else {
                panic!("it was taken for ours: {found:?}")
            };
            assert!(message.contains(whose), "{message}");
        }
        assert_eq!(reading(&object(), &target, None, &key(1)), TargetReading::Missing);
    }

    #[test]
    fn labels_and_annotations_of_others_stay_and_the_owner_follows_the_policy() {
        let mut metadata =
            ObjectMeta { labels: Some([("team".to_owned(), "a".to_owned())].into()), ..ObjectMeta::default() };
        metadata.annotations = Some([("note".to_owned(), "mine".to_owned())].into());
        for (policy, owners) in [("Delete", 1), ("Retain", 0)] {
            let target = target(json!({"key": "all", "deletionPolicy": policy}));
            let made = secret(&object(), &target, metadata.clone(), "v1", Data::new(), &key(1));
            assert_eq!(made.labels().get("team").map(String::as_str), Some("a"));
            assert_eq!(made.annotations().get("note").map(String::as_str), Some("mine"));
            assert_eq!(made.owner_references().len(), owners, "{policy}");
        }
    }
}
