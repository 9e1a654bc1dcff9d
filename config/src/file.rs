//! The configuration file: finding it, reading it, and saying precisely what is wrong with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use serde_saphyr::Spanned;

use crate::complaint::complaint;
use crate::error::{ConfigError, Origin};
use crate::keys::find;
use crate::layers::{Layer, from_json};
use crate::settings::Settings;

/// Where a file is looked for when none is named, under the current directory.
const USUAL_PLACES: [&str; 2] = ["config/config.yaml", "config.yaml"];

const SIZE_LIMIT: u64 = 1024 * 1024;

/// Keys and the place of their values.
type Places = BTreeMap<String, Option<BTreeMap<String, Spanned<IgnoredAny>>>>;

/// The file to use: the one named, which must exist, else the first of the usual places that does.
pub(crate) fn choose(
    named: Option<&Path>,
    current_dir: &Path,
) -> Result<Option<PathBuf>, ConfigError> {
    match named {
        Some(path) if current_dir.join(path).exists() => Ok(Some(path.to_owned())),
        Some(path) => Err(ConfigError::Missing(path.to_owned())),
        None => {
            let found = USUAL_PLACES
                .iter()
                .find(|place| current_dir.join(place).is_file());
            Ok(found.map(PathBuf::from))
        }
    }
}

/// Reads the file; `shown` is how messages call it.
pub(crate) fn read(path: &Path, shown: &Path) -> Result<Layer, ConfigError> {
    let failed = |source| ConfigError::Read {
        path: shown.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > SIZE_LIMIT {
        return Err(failed(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "larger than 1 MiB",
        )));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        failed(io::Error::new(
            io::ErrorKind::InvalidData,
            error.utf8_error(),
        ))
    })?;
    parse(&text, shown)
}

fn parse(text: &str, shown: &Path) -> Result<Layer, ConfigError> {
    // Some editors begin a file with a mark that is no character of it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut layer = Layer::default();
    let failed = |error: serde_saphyr::Error| complaint(&error, text, shown);
    let Some(settings) = serde_saphyr::from_str::<Option<Settings>>(text).map_err(failed)? else {
        return Ok(layer);
    };
    let places = serde_saphyr::from_str::<Places>(text).map_err(failed)?;
    let typed = serde_json::to_value(settings).unwrap_or_default();
    for (section, keys) in &places {
        for (name, place) in keys.iter().flatten() {
            let Some(key) = find(&format!("{section}.{name}")) else {
                continue;
            };
            let at = place.referenced;
            let origin = Origin::File {
                path: shown.to_owned(),
                line: at.line(),
                column: at.column(),
            };
            let value = typed
                .get(section)
                .and_then(|keys| keys.get(name))
                .unwrap_or(&serde_json::Value::Null);
            layer.set(key, None, from_json(value), origin);
        }
    }
    Ok(layer)
}
