//! Code of an engine that gives up is an error here, not the end of the process.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::StoreError;

/// Runs `work`; a panic becomes an error that names what was being done.
///
/// Whatever `work` was changing is dropped by the caller afterwards and never used again, which is why it need not be
/// safe to unwind.
pub(super) fn caught<T>(
    doing: &'static str,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(StoreError::Panicked {
            doing,
            what: text.unwrap_or("no message").to_owned(),
        })
    })
}
