//! The bytes of every row: keys, the envelope round a value, the messages inside. Decoding never panics; what cannot
//! be decoded is `Invalid`, to which the caller adds the key.

pub(super) mod convert;
pub(super) mod envelope;
pub(super) mod key;
mod model;
mod numbers;
pub(super) mod wire;

#[cfg(test)]
mod tests;

/// Bytes that are not what a row of this kind holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Invalid(pub(super) std::borrow::Cow<'static, str>);

impl Invalid {
    pub(super) const fn new(what: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(what))
    }
}

impl From<prost::DecodeError> for Invalid {
    fn from(error: prost::DecodeError) -> Self {
        Self(error.to_string().into())
    }
}
