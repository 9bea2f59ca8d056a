//! Somebody who adds and removes statements of his own, and keeps a book of which have to be there.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::ours::{Changes, Writer};

/// What his Sids begin with.
const SID: &str = "Foreign";
/// As many of his statements stand there at a time.
const STATEMENTS: usize = 5;

/// The other writer of a key policy.
pub(crate) struct Foreign<'a> {
    writer: &'a Writer,
    /// What has to be there.
    book: BTreeSet<String>,
    /// Statements that he has made so far: each has a Sid of its own.
    made: usize,
    /// His writes.
    pub(crate) writes: usize,
    /// What he had written and found gone, and what he had removed and found back.
    pub(crate) found: Changes,
}

impl<'a> Foreign<'a> {
    pub(crate) fn new(writer: &'a Writer) -> Self {
        Self { writer, book: BTreeSet::new(), made: 0, writes: 0, found: Changes::default() }
    }

    /// Reads, compares with the book, changes and writes; again and again.
    pub(crate) async fn write_until(mut self, stop: &AtomicBool) -> Result<Self> {
        let kms = self.writer.account.root().kms();
        loop {
            let answer = kms.get_key_policy().key_id(&self.writer.key.id).send().await?;
            let mut document: Value = serde_json::from_str(answer.policy().context("a key policy")?)?;
            let statements = document["Statement"].as_array_mut().context("statements")?;
            self.compare(statements);
            if stop.load(Ordering::Relaxed) {
                return Ok(self);
            }
            self.change(statements);
            let request = kms.put_key_policy().key_id(&self.writer.key.id).policy(document.to_string());
            request.send().await?;
            self.writes += 1;
        }
    }

    fn compare(&mut self, statements: &mut Vec<Value>) {
        let standing: BTreeSet<String> = statements.iter().filter_map(his).collect();
        self.found.lost.extend(self.book.difference(&standing).cloned());
        self.found.revived.extend(standing.difference(&self.book).cloned());
        self.book.retain(|sid| standing.contains(sid));
        statements.retain(|statement| his(statement).is_none_or(|sid| self.book.contains(&sid)));
    }

    /// Adds a statement, and removes one when there are many.
    fn change(&mut self, statements: &mut Vec<Value>) {
        if self.book.len() >= STATEMENTS
            && let Some(oldest) = self.book.pop_first()
        {
            statements.retain(|statement| statement["Sid"] != oldest);
            return;
        }
        self.made += 1;
        let sid = format!("{SID}{:06}", self.made);
        statements.push(json!({
            "Sid": sid, "Effect": "Allow", "Principal": {"AWS": self.writer.account.root_arn()},
            "Action": "kms:ListGrants", "Resource": "*",
        }));
        self.book.insert(sid);
    }
}

fn his(statement: &Value) -> Option<String> {
    statement["Sid"].as_str().filter(|sid| sid.starts_with(SID)).map(str::to_owned)
}
