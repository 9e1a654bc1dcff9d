//! The view that the faces serve without asking the core: nodes and counts as they were after a flush.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use openclaw_common::time::{Mono, Now};
use openclaw_core::view::View;
use openclaw_proto::v1;
use tokio::sync::watch;

use crate::grpc::convert::node_proto;

/// Least time between two views.
const EVERY_MS: u64 = 20;
/// With many nodes a view costs more: this many nodes are worth `EVERY_MS`.
const NODES_PER_STEP: u64 = 50;

/// Nodes and counts at one moment, and what is made of them once.
#[derive(Debug, Default)]
pub struct PublishedView {
    /// What the core showed.
    pub view: View,
    /// When.
    pub at: Now,
    /// The nodes as the HTTP face serves them, made by the first who asks.
    pub nodes_json: OnceLock<Bytes>,
    nodes_proto: OnceLock<Vec<v1::Node>>,
}

impl PublishedView {
    /// The nodes as wire messages, by name; made by the first who asks.
    pub fn nodes_proto(&self) -> &[v1::Node] {
        self.nodes_proto
            .get_or_init(|| self.view.nodes.iter().map(node_proto).collect())
    }
}

/// Decides when a new view is due, and hands it out.
#[derive(Debug)]
pub(super) struct Publisher {
    out: watch::Sender<Arc<PublishedView>>,
    version: Option<u64>,
    due: Mono,
}

impl Publisher {
    /// Publishes through this channel.
    pub(super) const fn new(out: watch::Sender<Arc<PublishedView>>) -> Self {
        Self {
            out,
            version: None,
            due: Mono(0),
        }
    }

    /// When a view of this version should be taken; `None`: it is out already.
    pub(super) fn due(&self, version: u64) -> Option<Mono> {
        (self.version != Some(version)).then_some(self.due)
    }

    /// Notes that a view of this version is being taken now; it is published after the flush.
    pub(super) fn taken(&mut self, version: u64, now: Now, view: View) -> PublishedView {
        let nodes = u64::try_from(view.nodes.len()).unwrap_or(u64::MAX);
        self.version = Some(version);
        self.due = now
            .mono
            .plus(EVERY_MS.saturating_mul(1 + nodes / NODES_PER_STEP));
        PublishedView {
            view,
            at: now,
            ..PublishedView::default()
        }
    }

    /// Lets everybody see it.
    pub(super) fn publish(&self, view: PublishedView) {
        self.out.send_replace(Arc::new(view));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use openclaw_common::time::{Mono, Now};
    use openclaw_core::view::View;
    use tokio::sync::watch;

    use super::{PublishedView, Publisher};

    #[test]
    fn a_view_is_taken_when_it_changed_and_not_too_often() {
        let (out, seen) = watch::channel(Arc::new(PublishedView::default()));
        let mut publisher = Publisher::new(out);
        assert_eq!(publisher.due(7), Some(Mono(0)));
        let now = Now {
            mono: Mono(100),
            ..Now::default()
        };
        let view = publisher.taken(
            7,
            now,
            View {
                epoch: 3,
                ..View::default()
            },
        );
        assert_eq!(publisher.due(7), None);
        assert_eq!(publisher.due(8), Some(Mono(120)));
        assert_eq!(
            seen.borrow().view.epoch,
            0,
            "nobody sees it before the flush"
        );
        publisher.publish(view);
        assert_eq!(seen.borrow().view.epoch, 3);
    }
}
