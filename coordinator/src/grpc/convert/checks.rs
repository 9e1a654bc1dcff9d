//! Checks of the parts of a task that the core never looks at: texts, files, environment, command.

use std::collections::HashSet;

use openclaw_core::effect::Refusal;
use openclaw_proto::v1;

use super::fields::{file_name, invalid, json_object, label, listed, too_large, within};
use super::limits::{ARGUMENT_BYTES, ARGUMENTS, DESCRIPTION_BYTES, ENV_BYTES, Limits, NAME_BYTES};

/// Prefix of variables that the worker sets itself.
const RESERVED_ENV: &str = "OPENCLAW_CLUSTER_";

pub(super) fn check_texts(spec: &v1::TaskSpec, limits: &Limits) -> Result<(), Refusal> {
    label("name", &spec.name)?;
    label("batch_id", &spec.batch_id)?;
    within("description", &spec.description, DESCRIPTION_BYTES)?;
    within("idempotency_key", &spec.idempotency_key, limits.key)?;
    json_object(
        "parameters",
        &spec.parameters,
        limits.parameters,
        limits.json_depth,
    )?;
    json_object(
        "metadata",
        &spec.metadata,
        limits.metadata,
        limits.json_depth,
    )?;
    Ok(())
}

pub(super) fn check_inputs(inputs: &[v1::InputFile], limits: &Limits) -> Result<(), Refusal> {
    listed("inputs", inputs.len())?;
    let mut names = HashSet::new();
    let mut bytes = 0_usize;
    for (index, input) in inputs.iter().enumerate() {
        file_name(&format!("inputs[{index}].name"), &input.name)?;
        // Names that differ only in case are one file on macOS and Windows.
        if !names.insert(input.name.to_lowercase()) {
            return Err(invalid(
                &format!("inputs[{index}].name"),
                format!("`{}` stands twice", input.name),
            ));
        }
        let Some(v1::input_file::Content::Inline(content)) = &input.content else {
            return Err(invalid(
                &format!("inputs[{index}].content"),
                "holds no content; send the bytes inline",
            ));
        };
        bytes = bytes.saturating_add(content.len());
    }
    if bytes > limits.inputs {
        return Err(too_large(
            "inputs",
            bytes,
            limits.inputs,
            "bytes of inline files",
        ));
    }
    Ok(())
}

pub(super) fn check_env(spec: &v1::TaskSpec) -> Result<(), Refusal> {
    listed("env", spec.env.len())?;
    let mut bytes = 0_usize;
    for (name, value) in &spec.env {
        let shown: String = name.chars().take(80).collect();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || name.len() > NAME_BYTES
            || name.starts_with(|c: char| c.is_ascii_digit())
            || !name.chars().all(plain)
        {
            return Err(invalid(
                "env",
                format!(
                    "`{shown}` is no variable name; use letters, digits and `_`, not a digit first"
                ),
            ));
        }
        if name.to_ascii_uppercase().starts_with(RESERVED_ENV) {
            return Err(invalid(
                "env",
                format!("`{shown}` is set by the worker itself; choose another name"),
            ));
        }
        if value.contains('\0') {
            return Err(invalid(
                "env",
                format!("the value of `{shown}` holds a zero byte"),
            ));
        }
        bytes = bytes.saturating_add(name.len() + value.len());
    }
    if bytes > ENV_BYTES {
        return Err(too_large("env", bytes, ENV_BYTES, "bytes"));
    }
    Ok(())
}

pub(super) fn check_command(command: &[String]) -> Result<(), Refusal> {
    if command.len() > ARGUMENTS {
        return Err(too_large("command", command.len(), ARGUMENTS, "arguments"));
    }
    let bytes = command
        .iter()
        .map(String::len)
        .fold(0_usize, usize::saturating_add);
    if bytes > ARGUMENT_BYTES {
        return Err(too_large("command", bytes, ARGUMENT_BYTES, "bytes"));
    }
    if command.first().is_some_and(String::is_empty) {
        return Err(invalid("command", "its first entry, the program, is empty"));
    }
    if command.iter().any(|argument| argument.contains('\0')) {
        return Err(invalid("command", "an argument holds a zero byte"));
    }
    Ok(())
}
