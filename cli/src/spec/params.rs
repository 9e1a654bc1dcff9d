//! The parameters object.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};

use crate::args::SpecArgs;
use crate::failure::Failure;

/// Most bytes of parameters, as the coordinator's default has it; a larger file is not even read.
const LIMIT: u64 = 1024 * 1024;

/// The object that `--params`, `--params-file` and `--param` come to, as JSON text; empty when nothing was given.
pub(super) fn parameters(args: &SpecArgs) -> Result<String, Failure> {
    let base = match (&args.params_json, &args.params_file) {
        (Some(text), _) => Some(object(text, "--params")?),
        (None, Some(path)) => Some(object(
            &read(path)?,
            &format!("--params-file {}", path.display()),
        )?),
        (None, None) => None,
    };
    if base.is_none() && args.params.is_empty() {
        return Ok(String::new());
    }
    let mut parameters = base.unwrap_or_default();
    for (key, value) in &args.params {
        parameters.insert(key.clone(), typed(value));
    }
    Ok(Value::Object(parameters).to_string())
}

/// JSON where the text reads as a number, true, false, an object, an array or a quoted string; else the text itself.
pub(super) fn typed(text: &str) -> Value {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(_) => return Value::String(text.to_owned()),
    };
    match &value {
        Value::Null => Value::String(text.to_owned()),
        // A long row of digits (an id, a card number) must not be rounded to a float.
        Value::Number(number) if number.is_f64() && is_integer(text) => {
            Value::String(text.to_owned())
        }
        _ => value,
    }
}

fn is_integer(text: &str) -> bool {
    let text = text.trim();
    text.strip_prefix('-')
        .unwrap_or(text)
        .bytes()
        .all(|byte| byte.is_ascii_digit())
}

fn object(text: &str, from: &str) -> Result<Map<String, Value>, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("{from}: {why}"))
            .hint("parameters are one JSON object: {\"key\": \"value\"}")
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::Array(_)) => Err(wrong("an array is not an object".to_owned())),
        Ok(_) => Err(wrong("a single value is not an object".to_owned())),
        Err(error) => Err(wrong(format!("not JSON: {error}"))),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |why: String| {
        Failure::usage(format!(
            "cannot read --params-file {}: {why}",
            path.display()
        ))
    };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(LIMIT + 1)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_string(&mut text))
    };
    let length = read.map_err(|error| failed(error.to_string()))?;
    if u64::try_from(length).unwrap_or(u64::MAX) > LIMIT {
        return Err(
            failed("larger than 1 MiB, the most that parameters may be".to_owned())
                .hint("send it as a file: --input"),
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_typed_as_they_read() {
        for (text, value) in [
            ("3", json!(3)),
            ("-2.5", json!(-2.5)),
            ("1e3", json!(1000.0)),
            ("true", json!(true)),
            ("[1, \"a\"]", json!([1, "a"])),
            ("{\"a\": null}", json!({"a": null})),
            ("\"3\"", json!("3")),
            ("hello", json!("hello")),
            ("hello world", json!("hello world")),
            ("", json!("")),
            ("null", json!("null")),
            ("007", json!("007")),
            ("{broken", json!("{broken")),
            ("1.2.3", json!("1.2.3")),
            (
                "123456789012345678901234567890",
                json!("123456789012345678901234567890"),
            ),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(typed(text), value, "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_source() {
        for (text, word) in [("[1]", "array"), ("3", "single value"), ("{", "not JSON")] {
            let failure = object(text, "--params").unwrap_err();
            assert!(
                failure.message.starts_with("--params: ") && failure.message.contains(word),
                "{failure}"
            );
        }
    }
}
