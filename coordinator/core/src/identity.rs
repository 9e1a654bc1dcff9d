//! Which node a worker is: by the identity of its data directory, never by its name alone.

use std::sync::Arc;

use openclaw_common::code::ErrorCode;
use openclaw_common::id::{MAX_NODE_ID_BYTES, SessionId};
use openclaw_common::time::{Now, Wall};

use crate::arena::NodeKey;
use crate::core::Core;
use crate::effect::{Close, Effects, Refusal};
use crate::model::{Hello, Inventory};
use crate::node::Node;
use crate::record::NodeRow;

/// Lowest protocol that this core speaks with workers.
pub const PROTOCOL_MIN: u32 = 1;

/// Highest protocol that this core speaks with workers.
pub const PROTOCOL_MAX: u32 = 1;

fn refuse<T>(code: ErrorCode, detail: String) -> Result<T, Refusal> {
    Err(Refusal {
        code,
        detail,
        index: None,
    })
}

/// The refusal of a second process with the same identity.
pub(crate) fn taken(node: &Node) -> Refusal {
    Refusal {
        code: ErrorCode::AlreadyExists,
        detail: format!(
            "node {} is already connected from {} (process {}); stop that worker, or give this one another --data-dir",
            node.name, node.facts.hostname, node.pid
        ),
        index: None,
    }
}

impl Core {
    /// The node of a Hello, known or new. `None`: another process with this identity is connected, and is to be
    /// asked for a sign of life first.
    pub(crate) fn identify(
        &mut self,
        now: Now,
        session: SessionId,
        hello: &Hello,
        fx: &mut Effects,
    ) -> Result<Option<NodeKey>, Refusal> {
        let known = self.nodes.by_uid.get(&hello.uid).copied();
        if let Some(key) = known
            && self.nodes[key].secret_hash != hello.secret_hash
        {
            return refuse(
                ErrorCode::PermissionDenied,
                format!(
                    "node {}: the secret in identity.json is not the one bound at first contact; \
                     restore the worker's data directory, or start with a new one",
                    self.nodes[key].name
                ),
            );
        }
        if hello.protocol_min > PROTOCOL_MAX || hello.protocol_max < PROTOCOL_MIN {
            return self.incompatible(now, known, hello);
        }
        match known {
            Some(key) => self.returning(key, session, hello, fx),
            None => self.newcomer(now, hello).map(Some),
        }
    }

    /// A Hello that was long on its way: its process has opened a newer stream since, and what it lists is no longer
    /// true.
    pub(crate) fn is_outdated(&self, hello: &Hello) -> bool {
        let Some(key) = self.nodes.by_uid.get(&hello.uid) else {
            return false;
        };
        let node = &self.nodes[*key];
        let waiting = node.challenger.as_ref().is_some_and(|other| {
            other.hello.process_id == hello.process_id && hello.stream <= other.hello.stream
        });
        let welcomed = *node.process_id == *hello.process_id && hello.stream <= node.stream;
        hello.stream > 0 && (waiting || welcomed)
    }

    fn incompatible(
        &mut self,
        now: Now,
        known: Option<NodeKey>,
        hello: &Hello,
    ) -> Result<Option<NodeKey>, Refusal> {
        let detail = format!(
            "worker {} speaks protocols {} to {}, this coordinator {PROTOCOL_MIN} to {PROTOCOL_MAX}; \
             install the same version on both",
            hello.build, hello.protocol_min, hello.protocol_max
        );
        if let Some(key) = known.filter(|key| self.nodes[*key].session.is_none()) {
            let node = &mut self.nodes[key];
            node.incompatible = Some((now.wall, detail.clone()));
            node.build = hello.build.clone();
            self.touch_node(key);
        }
        refuse(ErrorCode::FailedPrecondition, detail)
    }

    fn returning(
        &mut self,
        key: NodeKey,
        session: SessionId,
        hello: &Hello,
        fx: &mut Effects,
    ) -> Result<Option<NodeKey>, Refusal> {
        let node = &mut self.nodes[key];
        if hello.name_explicit && *hello.name != *node.name {
            return refuse(
                ErrorCode::FailedPrecondition,
                format!(
                    "this data directory belongs to node {}; start with --node-id {}, or with another --data-dir for {}",
                    node.name, node.name, hello.name
                ),
            );
        }
        let Some(old) = &node.session else {
            return Ok(Some(key));
        };
        if *node.process_id != *hello.process_id {
            return Ok(None);
        }
        if old.id != session {
            let old = old.id;
            node.session = None;
            self.nodes.by_session.remove(&old);
            fx.closes.push((old, Close::Replaced));
        }
        Ok(Some(key))
    }

    fn newcomer(&mut self, now: Now, hello: &Hello) -> Result<NodeKey, Refusal> {
        if self.nodes.len() >= self.settings.max_nodes {
            return refuse(
                ErrorCode::QueueFull,
                format!(
                    "the cluster knows {} nodes, its limit",
                    self.settings.max_nodes
                ),
            );
        }
        let name = self.free_name(hello)?;
        Ok(self.nodes.insert(new_node(name, hello, now.wall)))
    }

    /// The name asked for, or, for a host name that another machine has, the first free of `name-2`, `name-3`, …
    fn free_name(&self, hello: &Hello) -> Result<Arc<str>, Refusal> {
        let Some(holder) = self.nodes.by_name.get(&*hello.name) else {
            return Ok(Arc::from(&*hello.name));
        };
        if hello.name_explicit {
            let holder = &self.nodes[*holder];
            return refuse(
                ErrorCode::AlreadyExists,
                format!(
                    "node id {} belongs to another worker (on {}, {}); choose another --node-id",
                    holder.name, holder.facts.hostname, holder.facts.platform
                ),
            );
        }
        let stem: String = hello.name.chars().take(MAX_NODE_ID_BYTES - 6).collect();
        (2..100_000)
            .map(|n| format!("{stem}-{n}"))
            .find(|name| !self.nodes.by_name.contains_key(&**name))
            .map(Arc::from)
            .ok_or_else(|| Refusal {
                code: ErrorCode::AlreadyExists,
                detail: format!(
                    "node id {}: no free name; choose one with --node-id",
                    hello.name
                ),
                index: None,
            })
    }
}

fn new_node(name: Arc<str>, hello: &Hello, now: Wall) -> Node {
    Node::from_row(NodeRow {
        name,
        uid: hello.uid.clone(),
        secret_hash: hello.secret_hash,
        process_id: Arc::from(&*hello.process_id),
        build: hello.build.clone(),
        facts: hello.facts.clone(),
        inventory: Arc::new(Inventory::default()),
        registered: now,
        last_seen: now,
        succeeded: 0,
        failed: 0,
        run_ms: 0,
    })
}
