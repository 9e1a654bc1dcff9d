//! From the settings to what the core and the faces are told.

use openclaw_common::time::millis;
use openclaw_config::Settings;
use openclaw_core::settings::Settings as CoreSettings;

use crate::grpc::convert::Limits;

/// Intervals, limits and defaults of the core.
pub fn core_settings(settings: &Settings) -> CoreSettings {
    let lease_ms = millis(settings.coordinator.heartbeat_timeout);
    CoreSettings {
        lease_ms,
        heartbeat_ms: (lease_ms / 6).max(1),
        sweep_ms: millis(settings.coordinator.heartbeat_check_interval),
        strategy: settings.scheduler.strategy,
        max_tasks: count(settings.limits.queue),
        max_classes: count(settings.limits.classes),
        max_nodes: count(settings.limits.nodes),
        ..CoreSettings::default()
    }
}

/// Limits of requests.
pub fn request_limits(limits: &openclaw_config::Limits) -> Limits {
    Limits {
        parameters: count(limits.parameters),
        metadata: count(limits.metadata),
        json_depth: usize::try_from(limits.json_depth).unwrap_or(usize::MAX),
        key: count(limits.key),
        inputs: count(limits.inputs),
        result: count(limits.result),
        outputs: count(limits.outputs),
        tasks: count(limits.batch_tasks),
        request: count(limits.batch_bytes),
    }
}

fn count(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_settings_are_the_documented_limits() {
        let settings = Settings::default();
        assert_eq!(request_limits(&settings.limits), Limits::default());
        assert_eq!(
            core_settings(&settings),
            CoreSettings {
                heartbeat_ms: 15_000,
                ..CoreSettings::default()
            }
        );
    }
}
