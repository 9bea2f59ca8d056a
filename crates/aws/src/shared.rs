//! What all accounts share.

use std::sync::Arc;

use crate::{access::TokenSource, meter::Meter, sdk::Sdk};

pub(crate) struct Shared {
    pub(crate) sdk: Sdk,
    pub(crate) meter: Meter,
    pub(crate) tokens: Arc<dyn TokenSource>,
}
