//! How spans of time, amounts of bytes and secrets are written in settings.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that must not be shown: its `Debug` hides it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for use, never for logs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("(hidden)")
    }
}

/// A number or a text, as every source may give it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Whole(i64),
    Broken(f64),
    Text(String),
}

/// Spans of time: plain numbers are seconds, texts are `90`, `1.5` or `1m 30s`.
pub(crate) mod span {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Written;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let written = Written::deserialize(from)
            .map_err(|_| de::Error::custom("not a time: use seconds or a text such as 1m 30s"))?;
        match written {
            Written::Whole(seconds) => {
                seconds_of(seconds, u64::try_from(seconds).map(Duration::from_secs))
            }
            Written::Broken(seconds) => seconds_of(seconds, Duration::try_from_secs_f64(seconds)),
            Written::Text(text) => parse(&text),
        }
        .map_err(de::Error::custom)
    }

    pub(crate) fn serialize<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
        if span.subsec_nanos() == 0 {
            to.serialize_u64(span.as_secs())
        } else {
            to.collect_str(&humantime::format_duration(*span))
        }
    }

    fn seconds_of<T: std::fmt::Display, E>(
        given: T,
        read: Result<Duration, E>,
    ) -> Result<Duration, String> {
        read.map_err(|_| format!("{given} is not a time: it must be 0 seconds or more"))
    }

    fn parse(text: &str) -> Result<Duration, String> {
        if let Ok(seconds) = text.trim().parse::<f64>() {
            return seconds_of(text, Duration::try_from_secs_f64(seconds));
        }
        humantime::parse_duration(text.trim())
            .map_err(|_| format!("{text:?} is not a time: use seconds or a text such as 1m 30s"))
    }
}

/// Amounts of bytes: plain numbers, or texts such as `512KiB`, `1 MiB`, `2GB`.
pub(crate) mod bytes {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Written;

    const UNITS: [(&str, u64); 9] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
        ("b", 1),
    ];

    const HINT: &str = "use a whole number of bytes or a text such as 512KiB, 1MiB, 16GiB";

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let refused = || de::Error::custom(format!("not an amount of bytes: {HINT}"));
        match Written::deserialize(from).map_err(|_| refused())? {
            Written::Whole(count) => u64::try_from(count).map_err(|_| refused()),
            Written::Broken(_) => Err(refused()),
            Written::Text(text) => parse(&text).map_err(de::Error::custom),
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde calls"
    )]
    pub(crate) fn serialize<S: Serializer>(count: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(*count)
    }

    fn parse(text: &str) -> Result<u64, String> {
        let lower = text.trim().to_ascii_lowercase();
        let (number, unit) = UNITS
            .iter()
            .find_map(|(unit, size)| Some((lower.strip_suffix(unit)?.trim_end(), *size)))
            .unwrap_or((&lower, 1));
        let count = number
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(unit));
        count.ok_or_else(|| format!("{text:?} is not an amount of bytes: {HINT}"))
    }

    /// The same, where the setting may be left out.
    pub(crate) mod optional {
        use super::{Deserialize, Deserializer, Serializer};

        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Amount(#[serde(with = "super")] u64);

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<u64>, D::Error> {
            Ok(Option::<Amount>::deserialize(from)?.map(|Amount(count)| count))
        }

        #[expect(clippy::ref_option, reason = "the signature that serde calls")]
        pub(crate) fn serialize<S: Serializer>(
            count: &Option<u64>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match count {
                Some(count) => to.serialize_some(count),
                None => to.serialize_none(),
            }
        }
    }
}

/// Words of the shared vocabulary, which knows nothing of serde.
pub(crate) mod word {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn deserialize<'de, D, T>(from: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: FromStr<Err: Display>,
    {
        String::deserialize(from)?
            .parse()
            .map_err(de::Error::custom)
    }

    pub(crate) fn serialize<S: Serializer>(word: &impl Display, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(word)
    }
}

/// Address ranges: `10.0.0.0/8`, or one address.
pub(crate) mod networks {
    use std::net::IpAddr;

    use ipnet::IpNet;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
        let texts = Option::<Vec<String>>::deserialize(from)?.unwrap_or_default();
        texts
            .iter()
            .map(|text| parse(text.trim()))
            .collect::<Result<_, _>>()
            .map_err(de::Error::custom)
    }

    pub(crate) fn serialize<S: Serializer>(networks: &[IpNet], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(networks)
    }

    fn parse(text: &str) -> Result<IpNet, String> {
        let one = text.parse::<IpAddr>().map(IpNet::from).ok();
        one.or_else(|| text.parse().ok()).ok_or_else(|| {
            format!("{text:?} is not a network: use a range such as 192.168.1.0/24 or one address")
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Units {
        #[serde(with = "span")]
        span: Duration,
        #[serde(with = "bytes")]
        bytes: u64,
    }

    fn read(span: &str, bytes: &str) -> Result<Units, serde_json::Error> {
        serde_json::from_str(&format!("{{\"span\": {span}, \"bytes\": {bytes}}}"))
    }

    #[test]
    fn a_plain_number_is_seconds_and_a_text_may_have_units() {
        let spans = [
            ("90", 90_000),
            ("0.5", 500),
            ("\"90\"", 90_000),
            ("\"1m 30s\"", 90_000),
            ("\"250ms\"", 250),
        ];
        for (written, milliseconds) in spans {
            assert_eq!(
                read(written, "0").unwrap().span,
                Duration::from_millis(milliseconds),
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for written in ["-1", "\"-1\"", "\"soon\"", "1e300", "\"NaN\"", "true"] {
            let error = read(written, "0").unwrap_err().to_string();
            assert!(error.contains("not a time"), "{written}: {error}");
        }
    }

    #[test]
    fn bytes_have_the_units_people_write() {
        let amounts = [
            ("1024", 1024),
            ("\"512KiB\"", 524_288),
            ("\"1 MiB\"", 1 << 20),
            ("\"2gb\"", 2_000_000_000),
        ];
        for (written, count) in amounts {
            assert_eq!(read("1", written).unwrap().bytes, count, "{written}");
        }
        for written in ["-1", "1.5", "\"1.5MiB\"", "\"lots\"", "\"99999999999TiB\""] {
            let error = read("1", written).unwrap_err().to_string();
            assert!(error.contains("amount of bytes"), "{written}: {error}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for milliseconds in [0, 1, 90_000, 90_500] {
            let units = Units {
                span: Duration::from_millis(milliseconds),
                bytes: 7,
            };
            let text = serde_json::to_string(&units).unwrap();
            assert_eq!(
                serde_json::from_str::<Units>(&text).unwrap(),
                units,
                "{text}"
            );
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "(hidden)");
    }
}
