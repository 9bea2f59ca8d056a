//! The operator dies between any two of its calls to AWS, or never hears what became of one. Whatever it was doing comes true all
//! the same, and nothing is there twice or left behind.
//!
//! A binary of its own, because its operators die. Every scene makes the same steps at each position: its first write is struck,
//! then its second, until no write is left to strike; one operator dies for all scenes of a round.

mod blow;
mod keeping;
mod late;
mod plot;
mod scene;
mod sharing;
mod standing;
mod target;
mod vault;

use anyhow::Result;
use futures::future::try_join_all;
use sharedkey_e2e::{INTERVAL, Service};
use sharedkey_harness::Operator;
use tokio::sync::Mutex;

use crate::{blow::Blow, scene::Scene};

/// Objects at the same time: nearly all of them wait for a blow, and the others have to go on.
const CONCURRENCY: [&str; 2] = ["--concurrency", "128"];

/// One operator at a time works under the owner id of this world.
static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_killed_between_any_two_writes_is_followed_by_one_that_makes_it_true() -> Result<()> {
    let _alone = ALONE.lock().await;
    let Service { home, operator } = Service::start(INTERVAL, &CONCURRENCY).await?;
    let mut scenes = Scene::all(&home, &[Blow::NotPerformed, Blow::Performed]).await?;
    let mut operator = Some(operator);
    for round in 0.. {
        let mut open: Vec<&mut Scene> = scenes.iter_mut().filter(|scene| scene.is_open()).collect();
        if open.is_empty() {
            break;
        }
        // Given objects as they are before, and an operator that makes them what the specs now say
        try_join_all(open.iter_mut().map(|scene| scene.begin(round))).await?;

        // When it is killed while it waits for the answer to one of its writes
        try_join_all(open.iter_mut().map(|scene| scene.is_struck())).await?;
        operator.take().map(Operator::kill9).transpose()?;
        try_join_all(open.iter_mut().map(|scene| scene.is_over())).await?;

        // Then the next one makes it true, and takes it back when it is told to
        operator = Some(home.start().await?);
        try_join_all(open.iter_mut().map(|scene| scene.comes_true())).await?;
    }
    scenes.iter().try_for_each(Scene::was_struck_everywhere)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_never_hears_what_became_of_a_write_makes_it_true() -> Result<()> {
    let _alone = ALONE.lock().await;
    let Service { home, operator: _operator } = Service::start(INTERVAL, &CONCURRENCY).await?;
    let mut scenes = Scene::all(&home, &[Blow::AnswerLost]).await?;
    for round in 0.. {
        let mut open: Vec<&mut Scene> = scenes.iter_mut().filter(|scene| scene.is_open()).collect();
        if open.is_empty() {
            break;
        }
        try_join_all(open.iter_mut().map(|scene| scene.begin(round))).await?;
        try_join_all(open.iter_mut().map(|scene| scene.is_struck())).await?;
        try_join_all(open.iter_mut().map(|scene| scene.comes_true())).await?;
    }
    scenes.iter().try_for_each(Scene::was_struck_everywhere)
}
