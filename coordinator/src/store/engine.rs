//! What an engine is: ordered rows of bytes, one atomic durable step, reads from other threads. Everything that is
//! the same for every engine is built on this.

use std::ops::ControlFlow;
use std::path::Path;

use bytes::Bytes;

use super::error::StoreError;
use super::traits::Limits;

/// A key and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// The row gets this value.
    Put(Vec<u8>, Vec<u8>),
    /// There is no such row.
    Delete(Vec<u8>),
}

/// One commit in rows.
///
/// An engine that cannot apply all of it in one atomic step applies `adds` first, in as many steps as it likes, and
/// then `changes` in one: what is left of a commit that broke off is then rows newer than the mark of the last
/// commit, and dropping them undoes it exactly.
#[derive(Debug, Default)]
pub(crate) struct Ops {
    /// Number of the commit.
    pub(crate) commit: u64,
    /// Rows whose keys were never used before; a row stands before its chunks.
    pub(crate) adds: Vec<(Vec<u8>, Vec<u8>)>,
    /// Rows replaced or deleted, in order, the mark of the commit among them.
    pub(crate) changes: Vec<Change>,
}

/// A range of keys and a direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// First key.
    pub(crate) from: Vec<u8>,
    /// The key after the last.
    pub(crate) to: Vec<u8>,
    /// Highest key first.
    pub(crate) backwards: bool,
}

/// What a visitor answers.
pub(crate) type Visit = Result<ControlFlow<()>, StoreError>;

/// The writing side of an engine.
pub(crate) trait Engine: Send + 'static {
    /// Its reading side.
    type View: View;

    /// As in `storage.type`.
    fn name(&self) -> &'static str;

    /// Where it is, for errors.
    fn path(&self) -> &Path;

    /// How large batches should be.
    fn limits(&self) -> Limits;

    /// Most writes of a batch that go into one `apply`, when the batch may be split.
    fn piece(&self) -> usize;

    /// The number of a commit that is known to have been durable, told by something else than the rows. Rows that end
    /// before it are damaged, however sound they look.
    fn witnessed(&self) -> Option<u64>;

    /// Reads what has been applied.
    fn view(&self) -> Self::View;

    /// Durable when it returns. After an error it is unknown what is durable, and it is not called again.
    fn apply(&mut self, ops: Ops) -> Result<(), StoreError>;
}

/// The reading side of an engine.
pub(crate) trait View: Clone + Send + Sync + 'static {
    /// One row.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Rows of a range in order, until the visitor breaks. The visitor must not read from the same view.
    fn visit(
        &self,
        span: &Span,
        visitor: &mut dyn FnMut(&[u8], &[u8]) -> Visit,
    ) -> Result<(), StoreError>;
}
