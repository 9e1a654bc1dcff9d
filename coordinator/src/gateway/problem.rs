//! Errors of the HTTP API as RFC 9457 describes them.
//!
//! A handler answers with a [`Problem`] that waits in the extensions of its response; the edge renders it with the id
//! of the request, or as a status when the client speaks gRPC.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use openclaw_core::effect::Refusal;
use serde::Serialize;
use tonic::{Code, Status};

use crate::reply;
use crate::serve::RequestId;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What went wrong with one request. One pointer wide: it is the error of nearly every function here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<Facts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    status: StatusCode,
    grpc: Code,
    code: &'static str,
    title: &'static str,
    detail: String,
    hint: Option<&'static str>,
    place: Place,
    retry_after: Option<u32>,
}

/// Where in the request it went wrong, as far as known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
struct Place {
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

/// The members of the document, in this order.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(flatten)]
    place: &'a Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

impl Problem {
    /// A problem of HTTP itself. `detail` must be readable on its own and name the next step.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self(Box::new(Facts {
            status,
            grpc: Code::InvalidArgument,
            code,
            title,
            detail: detail.into(),
            hint: None,
            place: Place::default(),
            retry_after: None,
        }))
    }

    /// What a gRPC client is told instead of the HTTP status.
    #[must_use]
    pub fn grpc(mut self, code: Code) -> Self {
        self.0.grpc = code;
        self
    }

    /// The field it is about.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>) -> Self {
        self.0.place.field = Some(path.into());
        self
    }

    /// Where in the text of the body it is, counted from 1.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        (self.0.place.line, self.0.place.column) = (Some(line), Some(column));
        self
    }

    /// Leaves out the hint that the code comes with.
    #[must_use]
    pub fn without_hint(mut self) -> Self {
        self.0.hint = None;
        self
    }

    /// Seconds after which the same request may succeed.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Its HTTP status.
    pub fn http_status(&self) -> StatusCode {
        self.0.status
    }

    /// The same for a gRPC client.
    pub fn status(&self) -> Status {
        Status::new(self.0.grpc, self.0.detail.clone())
    }

    /// Writes the document into the answer that carried it, whose other headers (`Allow`) are kept.
    pub(crate) fn render(self, carrier: Response, id: &RequestId) -> Response {
        let body = self.document(id.as_str());
        let (mut parts, _) = carrier.into_parts();
        parts.status = self.0.status;
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.insert(CONTENT_TYPE, MEDIA_TYPE);
        if let Some(seconds) = self.0.retry_after {
            parts
                .headers
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            parts.headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"openclaw\""),
            );
        }
        Response::from_parts(parts, Body::from(body))
    }

    /// The document.
    pub(crate) fn document(&self, request_id: &str) -> Vec<u8> {
        let document = Document {
            r#type: format!(
                "urn:openclaw:error:{}",
                self.0.code.to_ascii_lowercase().replace('_', "-")
            ),
            title: self.0.title,
            status: self.0.status.as_u16(),
            detail: &self.0.detail,
            code: self.0.code,
            request_id,
            hint: self.0.hint,
            place: &self.0.place,
            retry_after: self.0.retry_after,
        };
        // Strings and numbers alone: encoding them cannot fail.
        serde_json::to_vec(&document).unwrap_or_default()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let face = reply::face(refusal.code);
        let field = reply::field_of(&refusal.detail).map(str::to_owned);
        let place = Place {
            field,
            index: refusal.index,
            line: None,
            column: None,
        };
        let detail = match refusal.index {
            Some(index) => format!("tasks[{index}]: {}", refusal.detail),
            None => refusal.detail,
        };
        Self(Box::new(Facts {
            status: face.http,
            grpc: face.grpc,
            code: refusal.code.as_str(),
            title: face.title,
            detail,
            hint: Some(face.next),
            place,
            retry_after: face.retry_after,
        }))
    }
}

impl From<Problem> for Response {
    /// An answer that carries the problem to the edge.
    fn from(problem: Problem) -> Self {
        let mut carrier = Self::new(Body::empty());
        *carrier.status_mut() = problem.0.status;
        carrier.extensions_mut().insert(problem);
        carrier
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.into()
    }
}
