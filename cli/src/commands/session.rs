//! What a verb works with.

use crate::args::Global;
use crate::client::{Client, Tokens};
use crate::failure::Failure;
use crate::find::{LastTask, Surroundings, coordinator, tokens};
use crate::output::Printer;

/// A coordinator to ask and streams to print on.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) printer: Printer,
    pub(crate) last: LastTask,
}

impl Session {
    /// Finds address and token; connects with the first call.
    pub(crate) fn open(
        global: &Global,
        around: &Surroundings,
        printer: &Printer,
    ) -> Result<Self, Failure> {
        let chosen = coordinator(global, around)?;
        let tokens = Tokens::new(tokens(global, around, &chosen.address)?)?;
        let last = LastTask::of(around, &chosen.address);
        let client = Client::new(chosen.address, chosen.by, tokens)?;
        Ok(Self {
            client,
            printer: printer.clone(),
            last,
        })
    }
}
