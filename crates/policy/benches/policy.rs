//! What a sweep costs in this crate, for key policies of 1, 8 and 32 KB: reading one, comparing all of our statements in it, and merging a
//! change. Read the table by ratios: eight times the bytes should cost about eight times as much.

use divan::{Bencher, counter::BytesCount};
use sharedkey_policy::{
    Edit, KeyArn, NormalContext, Partition, PolicyDocument, Statement, StatementBuilder, difference,
    document_fingerprint, merge, preflight,
};

const KILOBYTES: [usize; 3] = [1, 8, 32];
/// Principals in one statement: a 32 KB policy then names about 400.
const PRINCIPALS: usize = 8;

fn main() {
    divan::main();
}

/// Our statements, as many as fit into so many kilobytes.
fn ours(kilobytes: usize) -> Vec<Statement> {
    let statement = |number: usize| {
        let principals =
            (0..PRINCIPALS).map(|one| format!("arn:aws:iam::444455556666:role/team-{number}/Application{one}"));
        StatementBuilder::allow()
            .sid(format!("SharedKey/prod/team/orders/{number}"))
            .principals(principals)
            .actions(["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"])
            .resource("*")
            .build()
    };
    let mut statements = Vec::new();
    while PolicyDocument::from_statements(statements.clone()).size() < kilobytes * 1024 {
        statements.push(statement(statements.len()));
    }
    statements
}

fn text(kilobytes: usize) -> String {
    PolicyDocument::from_statements(ours(kilobytes)).to_json()
}

fn context() -> NormalContext {
    NormalContext::new(Partition::Aws)
}

#[divan::bench(args = KILOBYTES)]
fn parse(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let text = text(kilobytes);
    bencher.counter(BytesCount::of_str(&text)).bench(|| PolicyDocument::parse(divan::black_box(&text)));
}

#[divan::bench(args = KILOBYTES)]
fn compare(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let (wanted, context) = (ours(kilobytes), context());
    let Ok(live) = PolicyDocument::parse(&text(kilobytes)) else { return };
    bencher.counter(BytesCount::new(live.size())).bench(|| {
        let differs = |(wanted, live): (&Statement, &Statement)| difference(wanted, live, &context).is_some();
        wanted.iter().zip(live.statements()).filter(|pair| differs(*pair)).count()
    });
}

#[divan::bench(args = KILOBYTES)]
fn fingerprint(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let (live, context) = (PolicyDocument::from_statements(ours(kilobytes)), context());
    bencher.counter(BytesCount::new(live.size())).bench(|| document_fingerprint(divan::black_box(&live), &context));
}

#[divan::bench(args = KILOBYTES)]
fn merge_and_preflight(bencher: Bencher<'_, '_>, kilobytes: usize) {
    let (live, context) = (PolicyDocument::from_statements(ours(kilobytes)), context());
    let Ok(key) = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse::<KeyArn>()
    else {
        return;
    };
    let changed =
        StatementBuilder::allow().sid("SharedKey/prod/team/orders/0").principals(["arn:aws:iam::444455556666:root"]);
    let edit = Edit { put: vec![changed.actions(["kms:Decrypt"]).resource("*").build()], ..Edit::default() };
    bencher.counter(BytesCount::new(live.size())).bench(|| {
        let merged = merge(divan::black_box(&live), &edit, &context);
        preflight(&merged.document, &key, None).len()
    });
}
