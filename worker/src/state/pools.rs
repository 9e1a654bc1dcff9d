//! What a worker has to give, and what of it is taken.

use crate::model::Demand;

/// Pools with their totals. What is taken never exceeds a total.
#[derive(Debug, Clone)]
pub(super) struct Pools {
    total: Demand,
    used: Demand,
}

impl Pools {
    pub(super) fn new(total: Demand) -> Self {
        Self {
            total,
            used: Demand::default(),
        }
    }

    pub(super) fn total(&self) -> &Demand {
        &self.total
    }

    pub(super) fn used(&self) -> &Demand {
        &self.used
    }

    /// Nothing with a slot can start.
    pub(super) fn slots_exhausted(&self) -> bool {
        self.used.slots_milli >= self.total.slots_milli
    }

    /// The first pool that is too small for `demand` even when nothing runs, with wanted and total.
    pub(super) fn never_fits(&self, demand: &Demand) -> Option<String> {
        let Shortage { pool, want, total } = shortage(demand, &Demand::default(), &self.total)?;
        Some(format!("needs {want} {pool}, this node has {total}"))
    }

    pub(super) fn fits(&self, demand: &Demand) -> bool {
        shortage(demand, &self.used, &self.total).is_none()
    }

    pub(super) fn take(&mut self, demand: &Demand) {
        let used = &mut self.used;
        used.slots_milli = used.slots_milli.saturating_add(demand.slots_milli);
        used.cpu_milli = used.cpu_milli.saturating_add(demand.cpu_milli);
        used.memory_bytes = used.memory_bytes.saturating_add(demand.memory_bytes);
        used.gpus = used.gpus.saturating_add(demand.gpus);
        for (name, amount) in &demand.custom {
            let pool = used.custom.entry(name.clone()).or_default();
            *pool = pool.saturating_add(*amount);
        }
    }

    pub(super) fn give(&mut self, demand: &Demand) {
        let used = &mut self.used;
        used.slots_milli = used.slots_milli.saturating_sub(demand.slots_milli);
        used.cpu_milli = used.cpu_milli.saturating_sub(demand.cpu_milli);
        used.memory_bytes = used.memory_bytes.saturating_sub(demand.memory_bytes);
        used.gpus = used.gpus.saturating_sub(demand.gpus);
        for (name, amount) in &demand.custom {
            if let Some(pool) = used.custom.get_mut(name) {
                *pool = pool.saturating_sub(*amount);
            }
        }
        used.custom.retain(|_, amount| *amount > 0);
    }
}

/// A pool that cannot give what is wanted.
struct Shortage<'a> {
    pool: &'a str,
    want: u64,
    total: u64,
}

/// The first pool of `total` that cannot give `demand` beside `used`. What nobody wants is never short.
fn shortage<'a>(demand: &'a Demand, used: &Demand, total: &Demand) -> Option<Shortage<'a>> {
    let short = |pool: &'a str, want: u64, used: u64, total: u64| {
        (want > 0 && used.saturating_add(want) > total).then_some(Shortage { pool, want, total })
    };
    let small = |pool, want: u32, used: u32, total: u32| {
        short(pool, want.into(), used.into(), total.into())
    };
    small(
        "thousandths of a slot",
        demand.slots_milli,
        used.slots_milli,
        total.slots_milli,
    )
    .or_else(|| {
        small(
            "thousandths of a core",
            demand.cpu_milli,
            used.cpu_milli,
            total.cpu_milli,
        )
    })
    .or_else(|| {
        short(
            "bytes of memory",
            demand.memory_bytes,
            used.memory_bytes,
            total.memory_bytes,
        )
    })
    .or_else(|| small("gpus", demand.gpus, used.gpus, total.gpus))
    .or_else(|| {
        let amount = |pools: &Demand, name: &str| pools.custom.get(name).copied().unwrap_or(0);
        demand
            .custom
            .iter()
            .find_map(|(name, want)| short(name, *want, amount(used, name), amount(total, name)))
    })
}

#[cfg(test)]
mod tests {
    use super::Pools;
    use crate::model::Demand;

    fn slots(slots_milli: u32) -> Demand {
        Demand {
            slots_milli,
            ..Demand::default()
        }
    }

    #[test]
    fn every_pool_must_fit() {
        let total = Demand {
            slots_milli: 2_000,
            cpu_milli: 4_000,
            memory_bytes: 100,
            gpus: 1,
            custom: [("licence".to_owned(), 2)].into(),
        };
        let mut pools = Pools::new(total.clone());
        pools.take(&Demand {
            memory_bytes: 60,
            ..slots(1_000)
        });
        assert!(pools.fits(&slots(1_000)) && !pools.fits(&slots(1_001)));
        assert!(!pools.fits(&Demand {
            memory_bytes: 41,
            ..slots(500)
        }));
        assert!(!pools.fits(&Demand {
            cpu_milli: 4_001,
            ..slots(500)
        }));
        assert!(!pools.fits(&Demand {
            gpus: 2,
            ..slots(500)
        }));
        assert!(!pools.fits(&Demand {
            custom: [("licence".to_owned(), 3)].into(),
            ..slots(500)
        }));
        assert!(!pools.fits(&Demand {
            custom: [("other".to_owned(), 1)].into(),
            ..slots(500)
        }));
        pools.give(&Demand {
            memory_bytes: 60,
            ..slots(1_000)
        });
        assert_eq!(pools.used(), &Demand::default());
        assert!(pools.fits(&total));
    }

    #[test]
    fn what_can_never_fit_is_named() {
        let pools = Pools::new(slots(1_000));
        let why = pools.never_fits(&Demand {
            gpus: 2,
            ..slots(1_000)
        });
        assert_eq!(why.as_deref(), Some("needs 2 gpus, this node has 0"));
        assert_eq!(pools.never_fits(&slots(1_000)), None);
    }
}
