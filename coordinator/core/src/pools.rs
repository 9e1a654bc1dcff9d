//! Arithmetic of pools: what a node has, what attempts take.

use crate::model::Pools;

impl Pools {
    /// Adds what an attempt takes.
    pub(crate) fn add(&mut self, other: &Self) {
        self.slots_milli += other.slots_milli;
        self.cpu_milli += other.cpu_milli;
        self.memory_bytes = self.memory_bytes.saturating_add(other.memory_bytes);
        self.gpus += other.gpus;
        for (name, count) in &other.custom {
            *self.custom.entry(name.clone()).or_default() += count;
        }
    }

    /// Takes away what an attempt took.
    pub(crate) fn sub(&mut self, other: &Self) {
        self.slots_milli = self.slots_milli.saturating_sub(other.slots_milli);
        self.cpu_milli = self.cpu_milli.saturating_sub(other.cpu_milli);
        self.memory_bytes = self.memory_bytes.saturating_sub(other.memory_bytes);
        self.gpus = self.gpus.saturating_sub(other.gpus);
        for (name, count) in &other.custom {
            if let Some(held) = self.custom.get_mut(name) {
                *held = held.saturating_sub(*count);
                if *held == 0 {
                    self.custom.remove(name);
                }
            }
        }
    }

    /// The first pool but slots that is too small for `used` and `demand` together, in words.
    pub(crate) fn short_of(&self, used: &Self, demand: &Self) -> Option<String> {
        let lacks = |name: &str, have: u64, used: u64, wants: u64| {
            (wants > 0 && used.saturating_add(wants) > have).then(|| {
                format!(
                    "{name}: needs {wants}, {} of {have} free",
                    have.saturating_sub(used)
                )
            })
        };
        lacks(
            "cpu (thousandths of a core)",
            self.cpu_milli,
            used.cpu_milli,
            demand.cpu_milli,
        )
        .or_else(|| {
            lacks(
                "memory (bytes)",
                self.memory_bytes,
                used.memory_bytes,
                demand.memory_bytes,
            )
        })
        .or_else(|| lacks("gpus", self.gpus, used.gpus, demand.gpus))
        .or_else(|| {
            let of = |pools: &Self, name: &str| pools.custom.get(name).copied().unwrap_or(0);
            demand
                .custom
                .iter()
                .find_map(|(name, wants)| lacks(name, of(self, name), of(used, name), *wants))
        })
    }

    /// Whether one attempt of this demand could ever run here.
    pub(crate) fn could_hold(&self, demand: &Self) -> bool {
        demand.slots_milli <= self.slots_milli && self.short_of(&Self::default(), demand).is_none()
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Pools;

    fn pools(slots: u64, cpu: u64, licence: u64) -> Pools {
        let mut pools = Pools {
            slots_milli: slots,
            cpu_milli: cpu,
            ..Pools::default()
        };
        if licence > 0 {
            pools.custom.insert("licence".into(), licence);
        }
        pools
    }

    #[test]
    fn what_is_added_can_be_taken_away() {
        let mut used = Pools::default();
        used.add(&pools(1_000, 500, 2));
        used.add(&pools(500, 0, 1));
        used.sub(&pools(1_000, 500, 2));
        assert_eq!(used, pools(500, 0, 1));
        used.sub(&pools(500, 0, 1));
        assert_eq!(used, Pools::default());
    }

    #[test]
    fn the_short_pool_is_named() {
        let node = pools(5_000, 2_000, 1);
        let words = node
            .short_of(&pools(0, 1_500, 0), &pools(0, 1_000, 0))
            .unwrap();
        assert!(
            words.starts_with("cpu") && words.contains("500 of 2000 free"),
            "{words}"
        );
        assert!(
            node.short_of(&pools(0, 0, 1), &pools(0, 0, 1))
                .unwrap()
                .starts_with("licence")
        );
        assert_eq!(
            node.short_of(&pools(0, 1_000, 0), &pools(0, 1_000, 1)),
            None
        );
        assert!(!node.could_hold(&pools(6_000, 0, 0)));
    }
}
