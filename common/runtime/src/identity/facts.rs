//! What a worker tells about its machine when it says hello.

use std::net::{IpAddr, SocketAddr};

use sysinfo::{MemoryRefreshKind, System};

use super::addresses::{outbound_address, tailscale_address};
use super::platform::{normalise_arch, normalise_platform};

/// The machine as its worker reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The host's own name.
    pub hostname: String,
    /// `macos`, `windows` or `linux`.
    pub platform: String,
    /// `x64`, `arm64`, `x86` or `arm`.
    pub arch: String,
    /// The own address on the way to the coordinator.
    pub ip_address: Option<IpAddr>,
    /// The address in the tailnet, when Tailscale is up.
    pub tailscale_ip: Option<IpAddr>,
    /// Logical processors that this process may use; at least 1.
    pub cpus: u32,
    /// Bytes of memory; 0 where the system doesn't tell.
    pub memory_bytes: u64,
    /// Changes at every start of the machine.
    pub boot_id: String,
}

impl Facts {
    /// Reads the facts; `peer` is the coordinator's address, when known, for the route towards it.
    pub fn collect(peer: Option<SocketAddr>) -> Self {
        Self {
            hostname: hostname(),
            platform: normalise_platform(std::env::consts::OS),
            arch: normalise_arch(std::env::consts::ARCH),
            ip_address: outbound_address(peer),
            tailscale_ip: tailscale_address(),
            cpus: cpu_count(),
            memory_bytes: memory_total(),
            boot_id: boot_id(),
        }
    }
}

/// The host's own name, as it calls itself; `localhost` where it has none.
pub fn hostname() -> String {
    let name = gethostname::gethostname()
        .to_string_lossy()
        .trim()
        .to_owned();
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}

/// Logical processors that this process may use, by affinity and quota; at least 1.
pub fn cpu_count() -> u32 {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Bytes of memory that this process may use: the machine's, or less when its control group says so; 0 where the
/// system doesn't tell.
pub fn memory_total() -> u64 {
    let Ok(mut system) = System::new() else {
        return 0;
    };
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let total = system.total_memory();
    match system.cgroup_limits() {
        Some(limits) if limits.total_memory > 0 => total.min(limits.total_memory),
        _ => total,
    }
}

/// A text that changes at every start of the machine, so that process ids of before are not taken for those of now.
/// Linux gives one; elsewhere it is made from the time of the start, and empty where that isn't told either.
pub fn boot_id() -> String {
    let given = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let given = given.trim();
    if !given.is_empty() {
        return given.to_owned();
    }
    System::boot_time()
        .map(|seconds| format!("boot-{seconds}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_describes_itself_in_the_words_of_the_product() {
        let facts = Facts::collect(None);
        assert!(
            ["macos", "windows", "linux"].contains(&facts.platform.as_str()),
            "{facts:?}"
        );
        assert!(
            !facts.hostname.is_empty() && facts.cpus >= 1 && facts.memory_bytes > 0,
            "{facts:?}"
        );
    }

    #[test]
    fn the_boot_id_stays_while_the_machine_runs() {
        assert_eq!(boot_id(), boot_id());
        assert!(!boot_id().is_empty());
    }
}
