//! Numbers as people read them.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long something took: `0.08 s`, `12.3 s`, `2m03s`, `1h02m`.
pub fn took(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.2} s", span.as_secs_f64()),
        10..MINUTE => format!("{:.1} s", span.as_secs_f64()),
        MINUTE..HOUR => format!("{}m{:02}s", seconds / MINUTE, seconds % MINUTE),
        _ => format!("{}h{:02}m", seconds / HOUR, seconds % HOUR / MINUTE),
    }
}

/// How long ago something was: `4s`, `12m`, `3h`, `5d`.
pub fn age(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m", seconds / MINUTE),
        HOUR..DAY => format!("{}h", seconds / HOUR),
        _ => format!("{}d", seconds / DAY),
    }
}

/// A size: `117 B`, `12.5 KiB`, `48 MiB`.
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if size < 1024 {
        return format!("{size} B");
    }
    // Tenths, in whole numbers: no size is too large to be exact.
    let mut tenths = u128::from(size) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if tenths >= 1000 || tenths % 10 == 0 {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}

/// The first line of a text, cut at `most` characters with an ellipsis.
pub fn one_line(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    let whole = line.chars().count() <= most && line.len() == text.trim_end().len();
    if whole {
        return line.to_owned();
    }
    let mut cut: String = line.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_naturally() {
        let ms = Duration::from_millis;
        assert_eq!(took(ms(84)), "0.08 s");
        assert_eq!(took(ms(12_340)), "12.3 s");
        assert_eq!(took(ms(123_000)), "2m03s");
        assert_eq!(took(ms(3_720_000)), "1h02m");
        assert_eq!(
            [
                age(ms(900)),
                age(ms(90_000)),
                age(ms(7_200_000)),
                age(ms(200_000_000))
            ],
            ["0s", "1m", "2h", "2d"]
        );
    }

    #[test]
    fn sizes_read_naturally() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(512 * 1024), "512 KiB");
        assert_eq!(bytes(12_800), "12.5 KiB");
        assert_eq!(bytes(48 * 1024 * 1024 + 1), "48 MiB");
        assert_eq!(bytes(u64::MAX), "16383 PiB");
    }

    #[test]
    fn a_cell_holds_one_line() {
        assert_eq!(one_line("short", 10), "short");
        assert_eq!(one_line("two\nlines", 10), "two…");
        assert_eq!(one_line("far too long for it", 8), "far too…");
    }
}
