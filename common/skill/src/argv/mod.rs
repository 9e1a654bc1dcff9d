//! Argv templates: `["{python}", "{baseDir}/main.py", ["--time", "{params.time}"]]` and what becomes of them.
//!
//! No shell is ever involved: one template element becomes one argument (or, for lists, several), never more words.

mod error;
mod expand;
mod template;

pub use error::{ExpandError, TemplateError};
pub use expand::{Context, batch_file_refusal, expand};
pub use template::Template;

#[cfg(test)]
mod tests;
