//! The words of `log.level`: the guide's (DEBUG, INFO, WARNING, ERROR) and tracing's own directives.

use tracing_subscriber::EnvFilter;

/// Libraries whose own chatter drowns ours below WARN; a directive that names them wins.
const QUIET: &str =
    "h2=warn,hyper=warn,hyper_util=warn,tower=warn,tonic=warn,sled=warn,mio=warn,rustls=warn";

/// A level that is neither a word nor a directive.
#[derive(Debug, thiserror::Error)]
#[error(
    "log level {given:?}: {reason}; use DEBUG, INFO, WARNING or ERROR, or directives such as `info,openclaw_core=debug`"
)]
pub struct FilterError {
    given: String,
    reason: String,
}

/// Turns the text of `log.level` into a filter. Case does not count.
pub fn parse_level(text: &str) -> Result<EnvFilter, FilterError> {
    let directives: Vec<String> = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(directive)
        .collect();
    let failed = |reason: String| FilterError {
        given: text.to_owned(),
        reason,
    };
    if directives.is_empty() {
        return Err(failed("it is empty".to_owned()));
    }
    if let [only] = directives.as_slice()
        && !is_level(only)
        && !only.contains(['=', '['])
    {
        // tracing would take the word for the name of a module and log nothing else.
        return Err(failed("it is not a level".to_owned()));
    }
    EnvFilter::builder()
        .parse(format!("{QUIET},{}", directives.join(",")))
        .map_err(|error| failed(error.to_string()))
}

/// One directive with the level in tracing's spelling.
fn directive(part: &str) -> String {
    match part.rsplit_once('=') {
        Some((target, level)) => format!("{target}={}", level_word(level)),
        None => level_word(part),
    }
}

fn level_word(word: &str) -> String {
    match word.to_ascii_lowercase().as_str() {
        "warning" => "warn".to_owned(),
        "critical" | "fatal" => "error".to_owned(),
        known if is_level(known) => known.to_owned(),
        _ => word.to_owned(),
    }
}

fn is_level(word: &str) -> bool {
    matches!(word, "trace" | "debug" | "info" | "warn" | "error" | "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        parse_level(text).unwrap().to_string()
    }

    #[test]
    fn the_words_of_the_guide_are_understood_in_any_case() {
        for (word, level) in [
            ("DEBUG", "debug"),
            ("info", "info"),
            ("Warning", "warn"),
            ("ERROR", "error"),
        ] {
            assert!(
                shown(word).split(',').any(|part| part == level),
                "{word}: {}",
                shown(word)
            );
        }
    }

    #[test]
    fn directives_may_use_the_same_words() {
        let shown = shown("INFO, openclaw_core=DEBUG, sled=WARNING, h2=trace");
        for part in ["info", "openclaw_core=debug", "sled=warn", "h2=trace"] {
            assert!(
                shown.split(',').any(|given| given == part),
                "{part} in {shown}"
            );
        }
        assert!(
            !shown.contains("h2=warn"),
            "a directive wins over the quiet list: {shown}"
        );
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_with_those_that_are() {
        for wrong in ["VERBOSE", "", "info,x=loud"] {
            let error = parse_level(wrong).unwrap_err().to_string();
            assert!(error.contains("DEBUG, INFO, WARNING or ERROR"), "{error}");
        }
    }
}
