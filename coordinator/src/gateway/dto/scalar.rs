//! Times and spans as text and numbers.

use std::time::Duration;

use openclaw_common::time::Wall;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const STAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
/// More seconds than that are no span that anybody means.
const MOST_SECONDS: f64 = 1e12;

/// A time as RFC 3339 in UTC, to the millisecond.
pub(crate) fn stamp(at: Wall) -> String {
    let nanos = i128::from(at.0) * 1_000_000;
    let time =
        OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(STAMP).unwrap_or_default()
}

/// A time of the wire as RFC 3339 in UTC; `None` where there is none.
pub(super) fn stamp_of(at: Option<&prost_types::Timestamp>) -> Option<String> {
    let at = at?;
    let seconds = u64::try_from(at.seconds).ok()?;
    let millis = u64::try_from(at.nanos).ok()? / 1_000_000;
    Some(stamp(Wall(
        seconds.checked_mul(1_000)?.checked_add(millis)?,
    )))
}

/// A span of the wire as seconds; `None` where there is none.
pub(super) fn seconds_of(span: Option<&prost_types::Duration>) -> Option<f64> {
    let span = span?;
    let seconds = u64::try_from(span.seconds).unwrap_or_default();
    let nanos = u32::try_from(span.nanos).unwrap_or_default();
    Some(Duration::new(seconds, nanos.min(999_999_999)).as_secs_f64())
}

/// A span as text: a number of seconds, or with units (`90s`, `1h 30min`).
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        return span_of_seconds(seconds);
    }
    humantime::parse_duration(text.trim()).map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        format!("`{shown}` is no span of time; write seconds (90) or units (1m 30s)")
    })
}

/// A span as a number of seconds.
pub(super) fn span_of_seconds(seconds: f64) -> Result<Duration, String> {
    let fine = (0.0..=MOST_SECONDS).contains(&seconds);
    let span = if fine {
        Duration::try_from_secs_f64(seconds).ok()
    } else {
        None
    };
    span.ok_or_else(|| {
        format!("{seconds} is no span of time; write a number of seconds that is not negative")
    })
}

/// A time as RFC 3339, with any offset.
pub(crate) fn parse_time(text: &str) -> Result<prost_types::Timestamp, String> {
    let time = OffsetDateTime::parse(text.trim(), &Rfc3339).map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        format!("`{shown}` is no time; write it as RFC 3339, for example 2030-01-31T12:00:00Z")
    })?;
    Ok(prost_types::Timestamp {
        seconds: time.unix_timestamp(),
        nanos: i32::try_from(time.nanosecond()).unwrap_or_default(),
    })
}

pub(super) fn wire_span(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or_default(),
    }
}
