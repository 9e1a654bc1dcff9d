//! How busy the machine is, in percent, for heartbeats.

use std::path::{Path, PathBuf};

use sysinfo::{CpuRefreshKind, DiskRefreshKind, Disks, MemoryRefreshKind, System};

/// One sample; every figure lies in 0–100, and is 0 where the system doesn't tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// All processors together, since the sample before.
    pub cpu_percent: f32,
    /// Memory in use.
    pub memory_percent: f32,
    /// Space in use on the disk that holds the sampler's path.
    pub disk_percent: f32,
}

/// Takes samples. Reads the system at each call: not for hot paths, a few times a minute is meant.
#[derive(Debug)]
pub struct Sampler {
    system: Option<System>,
    disks: Option<Disks>,
    path: PathBuf,
}

impl Sampler {
    /// A sampler whose disk figure is that of the disk with `path` on it. The first sample's processor figure covers
    /// the time since now.
    pub fn new(path: &Path) -> Self {
        let mut system = System::new().ok();
        if let Some(system) = &mut system {
            system.refresh_cpu_list(CpuRefreshKind::nothing().with_usage());
        }
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self {
            system,
            disks: Disks::new_with_refreshed_list_specifics(
                DiskRefreshKind::nothing().with_storage(),
            )
            .ok(),
            path,
        }
    }

    /// The machine at this moment. Processor samples less than 200 ms apart are inaccurate.
    pub fn sample(&mut self) -> Usage {
        let mut usage = Usage {
            disk_percent: self.disk(),
            ..Usage::default()
        };
        if let Some(system) = &mut self.system {
            system.refresh_cpu_usage();
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
            usage.cpu_percent = system.global_cpu_usage().clamp(0.0, 100.0);
            usage.memory_percent = percent(system.used_memory(), system.total_memory());
        }
        usage
    }

    fn disk(&mut self) -> f32 {
        let Some(disks) = &mut self.disks else {
            return 0.0;
        };
        disks.refresh_specifics(true, DiskRefreshKind::nothing().with_storage());
        let under = disks
            .iter()
            .filter(|disk| self.path.starts_with(disk.mount_point()));
        let nearest = under.max_by_key(|disk| disk.mount_point().components().count());
        nearest.map_or(0.0, |disk| {
            percent(
                disk.total_space().saturating_sub(disk.available_space()),
                disk.total_space(),
            )
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a percentage for people: 7 digits are plenty"
)]
fn percent(part: u64, whole: u64) -> f32 {
    if whole == 0 {
        0.0
    } else {
        ((part as f64 / whole as f64) * 100.0).clamp(0.0, 100.0) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_a_percentage() {
        let mut sampler = Sampler::new(Path::new("."));
        for _ in 0..2 {
            let Usage {
                cpu_percent,
                memory_percent,
                disk_percent,
            } = sampler.sample();
            for figure in [cpu_percent, memory_percent, disk_percent] {
                assert!((0.0..=100.0).contains(&figure), "{figure}");
            }
            assert!(memory_percent > 0.0);
        }
    }

    #[test]
    fn nothing_of_nothing_is_nothing() {
        assert!(percent(0, 0).abs() < f32::EPSILON);
        assert!((percent(1, 4) - 25.0).abs() < f32::EPSILON);
        assert!(
            (percent(9, 3) - 100.0).abs() < f32::EPSILON,
            "never more than all"
        );
    }
}
