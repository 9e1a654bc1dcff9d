//! Single values: times, durations, JSON in text.

use std::time::{Duration, SystemTime};

use serde_json::{Number, Value};

/// A time as RFC 3339 in UTC; absent stays absent.
pub fn timestamp(at: Option<prost_types::Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// A time of the wire as one of this machine.
pub fn system_time(at: Option<prost_types::Timestamp>) -> Option<SystemTime> {
    SystemTime::try_from(at?).ok()
}

/// How long ago a time was on this machine's clock; 0 when that clock is behind.
pub fn since(at: Option<prost_types::Timestamp>, now: SystemTime) -> Option<Duration> {
    Some(now.duration_since(system_time(at)?).unwrap_or_default())
}

/// A duration of the wire; a negative one counts as none.
pub fn to_std(span: Option<prost_types::Duration>) -> Option<Duration> {
    Duration::try_from(span?).ok()
}

/// A duration of the wire in seconds.
pub fn seconds(span: Option<prost_types::Duration>) -> Option<Number> {
    to_std(span).map(seconds_of)
}

/// Seconds as a JSON number, whole where they are whole.
pub fn seconds_of(span: Duration) -> Number {
    if span.subsec_nanos() == 0 {
        return Number::from(span.as_secs());
    }
    Number::from_f64(span.as_secs_f64()).unwrap_or_else(|| Number::from(span.as_secs()))
}

/// JSON text as a value; empty is null, and what is no JSON stays text.
pub(super) fn json(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Text that is empty on the wire is absent.
pub(super) fn non_empty(text: &str) -> Option<String> {
    Some(text)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}
