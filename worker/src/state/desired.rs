//! What the coordinator wants of the whole worker: a level, followed by its generation.

use openclaw_common::time::{Mono, Now};

use super::machine::State;
use super::{Desired, Effects, Notice};

/// The desired state as followed here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Following {
    pub generation: u64,
    pub accept: bool,
    /// When to hand back what still runs.
    pub hand_back_at: Option<Mono>,
}

impl Default for Following {
    fn default() -> Self {
        Self {
            generation: 0,
            accept: true,
            hand_back_at: None,
        }
    }
}

impl State {
    /// A level that came by itself: only a newer one counts.
    pub(super) fn desired(&mut self, now: Now, desired: Desired, fx: &mut Effects) {
        if desired.generation > self.following.generation {
            self.follow_level(now, desired, fx);
        }
    }

    pub(super) fn follow_level(&mut self, now: Now, desired: Desired, fx: &mut Effects) {
        let before = self.following;
        let hand_back_at = match desired.drain_deadline_ms {
            0 => None,
            // The same level told again by a new stream does not prolong the time.
            _ if desired.generation == before.generation && before.hand_back_at.is_some() => {
                before.hand_back_at
            }
            ms => Some(now.mono.plus(ms)),
        };
        self.following = Following {
            generation: desired.generation,
            accept: desired.accept,
            hand_back_at,
        };
        if before.accept != desired.accept
            || (before.hand_back_at.is_some() != hand_back_at.is_some())
        {
            let Desired {
                accept,
                drain_deadline_ms,
                ..
            } = desired;
            fx.notices.push(Notice::DesiredChanged {
                accept,
                drain_deadline_ms,
            });
        }
        if !desired.accept {
            self.release_queued("the node takes no work now");
        }
    }
}
