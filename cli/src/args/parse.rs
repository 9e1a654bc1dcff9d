//! Readers of single values: durations, pairs, words of the shared vocabulary.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::builder::{PossibleValuesParser, TypedValueParser};

/// A duration: `9s`, `1h 30m`, `250ms`; a plain number counts seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds)
            .map_err(|error| format!("`{text}` is no duration: {error}"));
    }
    humantime::parse_duration(text)
        .map_err(|error| format!("`{text}` is no duration ({error}); write 9s, 5m, 1h30m"))
}

/// A duration in which something can happen.
pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(format!(
            "`{text}` leaves no time to hear that the task was accepted; write 9s, or --detach to wait for nothing else"
        )),
        span => Ok(span),
    }
}

/// A moment: RFC 3339, or a duration counted back from now.
pub(super) fn moment(text: &str) -> Result<SystemTime, String> {
    if let Ok(time) = humantime::parse_rfc3339(text) {
        return Ok(time);
    }
    let back = duration(text).map_err(|_| {
        format!(
            "`{text}` is neither a duration such as 24h nor a time such as 2026-05-01T09:00:00Z"
        )
    })?;
    SystemTime::now()
        .checked_sub(back)
        .ok_or_else(|| format!("`{text}` is too long ago"))
}

/// `KEY=VALUE`; the value may be empty and may hold further equals signs.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not KEY=VALUE")),
    }
}

/// A parser for one of the words of an enumeration, which `--help` lists.
pub(super) fn word<T>(words: Vec<&'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|text| text.parse::<T>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_are_seconds() {
        assert_eq!(duration("9"), Ok(Duration::from_secs(9)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "-1", "x", "5 parsecs", "NaN", "1e999"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn waiting_takes_some_time() {
        assert_eq!(some_time("9s"), Ok(Duration::from_secs(9)));
        assert!(some_time("0s").unwrap_err().contains("--detach"));
    }

    #[test]
    fn a_moment_is_a_time_or_so_long_ago() {
        assert!(moment("24h").unwrap() < SystemTime::now());
        assert_eq!(
            moment("1970-01-01T00:00:01Z"),
            Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
        );
        assert!(moment("yesterday").unwrap_err().contains("24h"));
    }

    #[test]
    fn a_pair_splits_at_the_first_equals_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(pair("a="), Ok(("a".into(), String::new())));
        assert!(pair("=x").is_err() && pair("x").is_err());
    }
}
