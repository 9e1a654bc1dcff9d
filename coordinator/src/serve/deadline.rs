//! The deadline that a gRPC client sends with its call.

use std::time::Duration;

use http::HeaderMap;

const HEADER: &str = "grpc-timeout";

/// How long the client will wait; `None` when it does not say, or not in the form of the protocol.
pub(super) fn of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(amount * 3600)),
        'M' => Some(Duration::from_secs(amount * 60)),
        'S' => Some(Duration::from_secs(amount)),
        'm' => Some(Duration::from_millis(amount)),
        'u' => Some(Duration::from_micros(amount)),
        'n' => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_units_of_the_protocol_are_read_and_nonsense_is_no_deadline() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, text.parse().unwrap());
            of(&headers)
        };
        assert_eq!(read("2H"), Some(Duration::from_hours(2)));
        assert_eq!(read("1500m"), Some(Duration::from_millis(1500)));
        assert_eq!(read("99999999S"), Some(Duration::from_secs(99_999_999)));
        for nonsense in ["", "S", "12", "-1S", "1.5S", "123456789S", "1s", "+1S"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
        assert_eq!(of(&HeaderMap::new()), None);
    }
}
