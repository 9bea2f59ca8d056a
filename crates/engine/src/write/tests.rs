use super::*;
use crate::compare::testing::{ANNA, APP, FOREIGN, KEY, OURS, SID, document, statement};

fn scope<'a>(key: &'a KeyArn, owner: &'a OwnerId, unique_ids: &'a BTreeMap<String, String>) -> Scope<'a> {
    Scope { key, owner, unique_ids, prune: false }
}

fn prepared(live: &PolicyDocument, edit: &Edit) -> Result<Option<PolicyDocument>, Refusal> {
    let (key, owner) = (KEY.parse().unwrap(), "prod".parse().unwrap());
    prepare(live, edit, &scope(&key, &owner, &BTreeMap::new()))
}

fn put(text: &str) -> Edit {
    Edit { put: vec![statement(text)], ..Edit::default() }
}

fn remove() -> Edit {
    Edit { remove: [SID.parse().unwrap()].into(), ..Edit::default() }
}

fn texts(document: &PolicyDocument) -> Vec<&str> {
    document.statements().iter().map(Statement::to_json).collect()
}

const ORPHAN: &str = "AROAGONE000000000001";

fn orphaned(text: &str) -> String {
    text.replace(APP, ORPHAN)
}

#[test]
fn statements_of_others_stay_byte_for_byte_and_in_their_place() {
    let added = prepared(&document(&FOREIGN), &put(OURS)).unwrap().unwrap();
    assert_eq!(texts(&added), [FOREIGN[0], FOREIGN[1], OURS]);
    let live = document(&[FOREIGN[0], &OURS.replace("Allow", "Deny"), FOREIGN[1]]);
    assert_eq!(texts(&prepared(&live, &put(OURS)).unwrap().unwrap()), [FOREIGN[0], OURS, FOREIGN[1]]);
    let removed = prepared(&document(&[FOREIGN[0], OURS, FOREIGN[1]]), &remove()).unwrap().unwrap();
    assert_eq!(texts(&removed), FOREIGN);
    assert!(removed.to_json().contains(r#""Id":"key-default-1""#));
}

#[test]
fn a_document_that_says_it_all_is_not_written() {
    let live = document(&[FOREIGN[0], OURS]);
    let other_spelling = OURS.replace(r#""kms:Decrypt","kms:DescribeKey""#, r#""KMS:DescribeKey","kms:decrypt""#);
    assert_eq!(prepared(&live, &put(OURS)), Ok(None));
    assert_eq!(prepared(&live, &put(&other_spelling)), Ok(None));
    assert_eq!(prepared(&document(&FOREIGN), &remove()), Ok(None));
}

#[test]
fn a_document_that_needs_no_write_is_not_judged() {
    let theirs = orphaned(&OURS.replace(SID, "Theirs"));
    assert_eq!(prepared(&document(&[OURS, &theirs]), &put(OURS)), Ok(None));
}

#[test]
fn orphans_of_ours_leave_with_the_next_write() {
    let second = orphaned(&OURS.replace("orders/partner", "invoices/partner"));
    let third = second.replace(&format!(",{ANNA:?}"), "").replace("invoices", "receipts");
    let written = prepared(&document(&[FOREIGN[0], &second, &third]), &put(OURS)).unwrap().unwrap();
    let [_, second, ours] = texts(&written)[..] else { panic!("{}", written.to_json()) };
    assert_eq!(ours, OURS);
    assert!(second.contains(ANNA) && !second.contains(ORPHAN), "{second}");
}

#[test]
fn an_orphan_of_another_operator_is_somebody_elses() {
    let theirs = orphaned(&OURS.replace("SharedKey/prod/", "SharedKey/prod-eu/"));
    let refusal = prepared(&document(&[FOREIGN[0], &theirs]), &put(OURS)).unwrap_err();
    assert_eq!(refusal.reason, Reason::ForeignOrphan);
}

#[test]
fn a_foreign_orphan_is_named_with_its_statement() {
    let theirs = orphaned(&OURS.replace(SID, "Allow use of the key"));
    let unnamed = theirs.replace(r#""Sid":"Allow use of the key","#, "");
    let refusal = prepared(&document(&[FOREIGN[0], &theirs, &unnamed]), &put(OURS)).unwrap_err();
    assert_eq!(refusal.reason, Reason::ForeignOrphan);
    insta::assert_snapshot!(refusal.message, @r#"nothing was written to the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab: of the statements of others, statement "Allow use of the key" names AROAGONE000000000001, a role or user that was deleted, and statement 3 names AROAGONE000000000001, a role or user that was deleted; KMS refuses every write while that stands there, so remove it from the key policy, or set pruneForeignOrphans: true"#);
}

#[test]
fn a_document_that_locks_the_owner_out_is_refused_and_says_what_is_missing() {
    let refusal = prepared(&document(&[FOREIGN[1]]), &put(OURS)).unwrap_err();
    assert_eq!(refusal.reason, Reason::LockoutRefused);
    insta::assert_snapshot!(refusal.message, @"nothing was written to the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab: no statement of it would leave kms:PutKeyPolicy to account 111122223333, which would lock the owner out of its key; add a statement that allows kms:* to arn:aws:iam::111122223333:root");
}

#[test]
fn a_document_that_is_too_large_says_how_large_and_what_is_ours_of_it() {
    let theirs = FOREIGN[0].replace("Enable IAM User Permissions", &"x".repeat(MAX_KEY_POLICY_BYTES - 400));
    let live = document(&[&theirs]);
    assert!(live.size() < MAX_KEY_POLICY_BYTES);
    let refusal = prepared(&live, &put(OURS)).map(|document| document.is_some()).unwrap_err();
    assert_eq!(refusal.reason, Reason::PolicyTooLarge);
    insta::assert_snapshot!(refusal.message, @"nothing was written to the key policy of arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab: it would have 32811 bytes, of which 270 are statements of SharedKeys, and KMS takes at most 32768; share with whole accounts (trust: Account) or name fewer principals");
}

#[test]
fn a_document_that_is_too_large_already_can_still_be_made_smaller() {
    let theirs = FOREIGN[0].replace("Enable IAM User Permissions", &"x".repeat(MAX_KEY_POLICY_BYTES - 300));
    let live = document(&[&theirs, OURS]);
    assert!(live.size() > MAX_KEY_POLICY_BYTES);
    assert_eq!(texts(&prepared(&live, &remove()).unwrap().unwrap()), [theirs]);
}

#[test]
fn the_principals_of_an_edit_are_known_to_exist_or_not() {
    let known = BTreeMap::from([("AROA1".to_owned(), APP.to_owned())]);
    assert_eq!(principals(&put(OURS)), [APP, ANNA]);
    assert!(!all_exist(&put(OURS), &known));
    let root = OURS.replace(&format!("[{APP:?},{ANNA:?}]"), r#""arn:aws:iam::444455556666:root""#);
    assert!(all_exist(&put(&root), &known));
    let one = OURS.replace(&format!("[{APP:?},{ANNA:?}]"), &format!("{APP:?}"));
    assert!(all_exist(&put(&one), &known));
}

fn replaced(live: &PolicyDocument, wanted: PolicyDocument, prune: bool) -> Result<Option<PolicyDocument>, Refusal> {
    let (key, owner): (KeyArn, OwnerId) = (KEY.parse().unwrap(), "prod".parse().unwrap());
    let unique_ids = BTreeMap::new();
    replace(live, wanted, &Scope { prune, ..scope(&key, &owner, &unique_ids) })
}

#[test]
fn a_whole_document_is_sent_as_it_is_and_only_if_it_says_something_else() {
    let live = document(&[FOREIGN[0], OURS]);
    let wanted = document(&[OURS, FOREIGN[0], FOREIGN[1]]);
    assert_eq!(replaced(&live, wanted.clone(), false), Ok(Some(wanted)));
    let other_spelling = FOREIGN[0].replace(r#""Action":"kms:*""#, r#""Action":["KMS:*"]"#);
    assert_eq!(replaced(&live, document(&[OURS, &other_spelling]), false), Ok(None));
}

#[test]
fn a_whole_document_is_judged_like_any_other() {
    let live = document(&[FOREIGN[0]]);
    let theirs = orphaned(&OURS.replace(SID, "Theirs"));
    let reason =
        |wanted: &[&str]| replaced(&live, document(wanted), false).map(|sent| sent.is_some()).unwrap_err().reason;
    assert_eq!(reason(&[FOREIGN[0], &theirs]), Reason::ForeignOrphan);
    assert_eq!(reason(&[FOREIGN[1]]), Reason::LockoutRefused);
    let large = FOREIGN[0].replace("Enable IAM User Permissions", &"x".repeat(MAX_KEY_POLICY_BYTES));
    assert_eq!(reason(&[&large]), Reason::PolicyTooLarge);
}

#[test]
fn deleted_principals_leave_a_whole_document_where_that_is_ours_to_do() {
    let live = document(&[FOREIGN[0]]);
    let theirs = orphaned(&OURS.replace(SID, "Theirs"));
    let pruned = replaced(&live, document(&[FOREIGN[0], &theirs]), true).unwrap().unwrap();
    assert!(!pruned.to_json().contains(ORPHAN) && pruned.to_json().contains(ANNA));
    let ours = replaced(&live, document(&[FOREIGN[0], &orphaned(OURS)]), false).unwrap().unwrap();
    assert!(!ours.to_json().contains(ORPHAN) && ours.to_json().contains(ANNA));
}
