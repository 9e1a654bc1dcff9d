//! The bearer token of each request, and the further places to try when the first one's is refused.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::failure::Failure;

/// A token and where it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct FoundToken {
    /// The secret.
    pub token: String,
    /// Where it was found, in words: the name of a file or of a variable.
    pub source: String,
}

impl fmt::Debug for FoundToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FoundToken")
            .field("token", &"(hidden)")
            .field("source", &self.source)
            .finish()
    }
}

/// The tokens that may fit a coordinator, the likeliest first; one is in use.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    found: Arc<[FoundToken]>,
    headers: Arc<[MetadataValue<Ascii>]>,
    current: Arc<AtomicUsize>,
}

impl Tokens {
    /// Checks that each token can stand in a header.
    pub fn new(found: Vec<FoundToken>) -> Result<Self, Failure> {
        let headers: Result<Vec<_>, Failure> = found.iter().map(header_of).collect();
        Ok(Self {
            headers: headers?.into(),
            found: found.into(),
            current: Arc::default(),
        })
    }

    /// The token in use.
    pub fn current(&self) -> Option<&FoundToken> {
        self.found.get(self.current.load(Ordering::Relaxed))
    }

    /// Goes on to the next token after the one in use was refused; whether there is one.
    pub(super) fn advance(&self) -> bool {
        let next = self.current.load(Ordering::Relaxed).saturating_add(1);
        let exists = next < self.found.len();
        if exists {
            self.current.store(next, Ordering::Relaxed);
        }
        exists
    }

    /// Where all tokens came from, for an error.
    pub(super) fn sources(&self) -> Vec<&str> {
        self.found
            .iter()
            .map(|found| found.source.as_str())
            .collect()
    }
}

impl Interceptor for Tokens {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(header) = self.headers.get(self.current.load(Ordering::Relaxed)) {
            request
                .metadata_mut()
                .insert("authorization", header.clone());
        }
        Ok(request)
    }
}

fn header_of(found: &FoundToken) -> Result<MetadataValue<Ascii>, Failure> {
    let mut value: MetadataValue<Ascii> =
        format!("Bearer {}", found.token).parse().map_err(|_| {
            Failure::usage(format!(
                "the token from {} holds characters that no token has",
                found.source
            ))
            .hint("copy it again with `openclaw-cluster token show` on the coordinator's machine")
        })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(token: &str) -> FoundToken {
        FoundToken {
            token: token.to_owned(),
            source: format!("place {token}"),
        }
    }

    #[test]
    fn each_request_carries_the_token_in_use() {
        let mut tokens = Tokens::new(vec![found("a"), found("b")]).unwrap();
        let header = |tokens: &mut Tokens| {
            let request = tokens.call(Request::new(())).unwrap();
            request
                .metadata()
                .get("authorization")
                .map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header(&mut tokens).as_deref(), Some("Bearer a"));
        assert!(tokens.advance());
        assert_eq!(header(&mut tokens.clone()).as_deref(), Some("Bearer b"));
        assert!(!tokens.advance(), "there is no third");
        assert_eq!(header(&mut Tokens::default()), None);
    }

    #[test]
    fn a_token_that_cannot_be_one_is_refused_without_printing_it() {
        let bad = FoundToken {
            token: "se\ncret".to_owned(),
            source: "a file".to_owned(),
        };
        let failure = Tokens::new(vec![bad]).unwrap_err();
        assert!(
            failure.message.contains("a file") && !failure.message.contains("cret"),
            "{failure}"
        );
        assert!(!format!("{:?}", found("secret")).contains("\"secret\""));
    }
}
