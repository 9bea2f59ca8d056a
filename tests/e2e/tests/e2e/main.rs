//! Stories from end to end: a real API server, a strict AWS, the real operator.

mod accounts;
mod attacks;
mod credentials;
mod deletion;
mod drift;
mod faults;
mod history;
mod leaving;
mod ledger;
mod operations;
mod refusals;
mod secrets;
mod sharing;
mod tenancy;
mod together;
