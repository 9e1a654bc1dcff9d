//! When the state wants a `Tick`.

use openclaw_common::time::Mono;

use super::link::Link;
use super::machine::State;

impl State {
    /// The earliest moment at which a `Tick` does something; `None` when nothing is due by time alone. An earlier or
    /// later one is harmless.
    pub fn next_deadline(&self) -> Option<Mono> {
        let link = match &self.link {
            Link::Down { retry_at } => *retry_at,
            Link::Dialing { .. } => None,
            Link::Open(session) => {
                let silent = session.vouched_at.plus(self.timing.lease);
                let drains = session.drains.map_or(silent, |(by, _)| by);
                Some(session.heartbeat_at.min(silent).min(drains))
            }
        };
        let spool = self.unspooled.front().map(|(at, _)| *at);
        let respool = self.respool.front().map(|(at, _)| *at);
        [
            link,
            spool,
            respool,
            self.following.hand_back_at,
            self.stop_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
