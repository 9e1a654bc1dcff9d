//! Answers about live tasks, and why they wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use openclaw_common::code::ReasonCode;
use openclaw_common::id::TaskId;
use openclaw_common::status::TaskStatus;

use crate::arena::{ClassKey, TaskKey};
use crate::core::Core;
use crate::effect::{Effects, Reply, TaskState};
use crate::event::{PageQuery, Query, ReplyId};
use crate::task::{Phase, Task};
use crate::view::{Explanation, LiveTask, NodeVerdict};

/// Why tasks of a class wait, worked out once for a page.
type Waits = BTreeMap<ClassKey, (ReasonCode, String)>;

impl Core {
    pub(crate) fn query(&self, query: &Query, reply: ReplyId, fx: &mut Effects) {
        let mut waits = Waits::new();
        let mut live = |id: &TaskId| {
            let key = *self.by_id.get(id)?;
            Some(self.live_task(key, &mut waits))
        };
        let answer = match query {
            Query::Task(id) => Reply::Task(live(id).map(Box::new)),
            Query::Tasks(ids) => Reply::Tasks(ids.iter().map(live).collect()),
            Query::Page(page) => self.page(page),
            Query::Explain(id) => {
                Reply::Explained(self.by_id.get(id).map(|key| Box::new(self.explain(*key))))
            }
        };
        fx.replies.push((reply, answer));
    }

    fn page(&self, page: &PageQuery) -> Reply {
        let mut waits = Waits::new();
        let mut tasks = Vec::new();
        let from = page.from.unwrap_or(TaskId(0));
        let range = match page.before {
            Some(before) if before <= from => return Reply::Page(tasks, None),
            Some(before) => self.by_id.range(from..before),
            None => self.by_id.range(from..),
        };
        for (scanned, (id, key)) in range.rev().enumerate() {
            if tasks.len() >= page.limit || scanned >= page.scan {
                // Ids below the last one looked at are still to come.
                return Reply::Page(tasks, Some(TaskId(id.0.saturating_add(1))));
            }
            if self.matches(&self.tasks[*key], page) {
                tasks.push(self.live_task(*key, &mut waits));
            }
        }
        Reply::Page(tasks, None)
    }

    fn matches(&self, task: &Task, page: &PageQuery) -> bool {
        let on_node = |name: &str| {
            task.open
                .as_ref()
                .is_some_and(|attempt| *self.nodes[attempt.node].name == *name)
        };
        (page.statuses.is_empty() || page.statuses.contains(&task.status()))
            && page.since.is_none_or(|since| task.submitted >= since)
            && page
                .user
                .as_ref()
                .is_none_or(|user| **user == ***self.users.get(task.user))
            && page
                .batch
                .as_ref()
                .is_none_or(|batch| task.batch.as_ref() == Some(batch))
            && page
                .skill
                .as_ref()
                .is_none_or(|skill| self.classes[task.class].req.skill.as_ref() == Some(skill))
            && page.node.as_ref().is_none_or(|node| on_node(node))
    }

    fn live_task(&self, key: TaskKey, waits: &mut Waits) -> LiveTask {
        let task = &self.tasks[key];
        let open = task.open.as_deref();
        let past = task.past.as_deref();
        LiveTask {
            state: self.state_with(key, waits),
            submitted: task.submitted,
            scheduled: open.map(|attempt| attempt.offered),
            started: open.and_then(|attempt| attempt.started),
            next_attempt: past.and_then(|past| past.gate).map(|(gate, _)| gate.until),
            lease: open.map(|attempt| attempt.lease),
            retries: past.map_or(0, |past| past.retries),
            losses: past.map_or(0, |past| past.losses),
            cancel_requested: task.cancel_requested(),
            progress: open.and_then(|attempt| attempt.progress.as_deref().cloned()),
            attempts: past.map(|past| past.attempts.clone()).unwrap_or_default(),
        }
    }

    pub(crate) fn state_of(&self, key: TaskKey) -> TaskState {
        self.state_with(key, &mut Waits::new())
    }

    fn state_with(&self, key: TaskKey, waits: &mut Waits) -> TaskState {
        let task = &self.tasks[key];
        let (code, detail) = self.reason(task, waits);
        TaskState {
            id: task.id,
            status: task.status(),
            code,
            detail,
            attempt: task.latest_number(),
            node: task
                .open
                .as_ref()
                .map(|attempt| Arc::clone(&self.nodes[attempt.node].name)),
        }
    }

    fn reason(&self, task: &Task, waits: &mut Waits) -> (ReasonCode, String) {
        if task.cancel_requested() {
            return (
                ReasonCode::Cancelling,
                "waiting for its node to end it".to_owned(),
            );
        }
        if let Some(attempt) = task.open.as_ref().filter(|attempt| !attempt.orphan) {
            let name = &self.nodes[attempt.node].name;
            let connected = self.nodes[attempt.node].session.is_some();
            return match attempt.phase {
                Phase::Started if !connected => (
                    ReasonCode::Running,
                    format!("on {name}, which is not connected; its lease still holds"),
                ),
                Phase::Started => (ReasonCode::Running, format!("on {name}")),
                Phase::Offered => (ReasonCode::Offered, format!("to {name}")),
                Phase::Recovering => (
                    ReasonCode::Recovering,
                    format!("the coordinator restarted and waits for {name} to report"),
                ),
            };
        }
        if let Some(past) = &task.past
            && let Some((gate, _)) = past.gate
        {
            let detail = match &past.last {
                Some((code, message)) if gate.code == ReasonCode::Backoff => {
                    format!("before the next attempt, after {code}: {message}")
                }
                _ => "its earliest start has not come".to_owned(),
            };
            return (gate.code, detail);
        }
        waits
            .entry(task.class)
            .or_insert_with(|| self.wait_of(task.class))
            .clone()
    }

    /// Why a class waits: what holds back the node that is closest to taking it.
    fn wait_of(&self, key: ClassKey) -> (ReasonCode, String) {
        let req = &self.classes[key].req;
        let closest = self
            .nodes
            .iter()
            .map(|(_, node)| (node.reasons(req), &node.name))
            .min_by_key(|(reasons, _)| {
                reasons
                    .iter()
                    .map(|(code, _)| hardness(*code))
                    .max()
                    .unwrap_or(0)
            });
        let skill = req
            .skills
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        match closest {
            None => (
                ReasonCode::NoNodeWithSkill,
                "no node has ever joined".to_owned(),
            ),
            Some((reasons, name)) => {
                match reasons.into_iter().max_by_key(|(code, _)| hardness(*code)) {
                    None => (ReasonCode::Priority, "others go first".to_owned()),
                    Some((ReasonCode::NoNodeWithSkill, _)) => (
                        ReasonCode::NoNodeWithSkill,
                        format!("no node has skill {skill}"),
                    ),
                    Some((ReasonCode::NodeOffline, _)) => (
                        ReasonCode::NodeOffline,
                        format!("no online node can run it; {name} could, but is offline"),
                    ),
                    Some((ReasonCode::NodeBusy, _)) => (
                        ReasonCode::NodeBusy,
                        "every node that can run it is busy".to_owned(),
                    ),
                    Some((code, why)) => (code, format!("{name}: {why}")),
                }
            }
        }
    }

    fn explain(&self, key: TaskKey) -> Explanation {
        let task = &self.tasks[key];
        let req = &self.classes[task.class].req;
        let state = self.state_of(key);
        let since = match state.status {
            TaskStatus::Pending => {
                let past = task.past.as_ref().and_then(|past| past.attempts.last());
                past.map_or(task.submitted, |last| last.ended)
            }
            _ => task.open.as_ref().map_or(task.submitted, |attempt| {
                attempt.started.unwrap_or(attempt.offered)
            }),
        };
        let nodes = self
            .nodes
            .by_name
            .iter()
            .map(|(name, node)| {
                let reasons = self.nodes[*node].reasons(req);
                NodeVerdict {
                    node: Arc::clone(name),
                    reasons,
                }
            })
            .collect();
        Explanation {
            state,
            since,
            needs: needs(req),
            nodes,
        }
    }
}

/// How far a reason is from going away by itself; the mildest node speaks for the class.
fn hardness(code: ReasonCode) -> u8 {
    match code {
        ReasonCode::NodeBusy => 1,
        ReasonCode::Resources => 2,
        ReasonCode::NodeSuspect => 3,
        ReasonCode::NodeAsleep => 4,
        ReasonCode::Paused | ReasonCode::Cordoned => 5,
        ReasonCode::NodeOffline => 6,
        ReasonCode::NodeError | ReasonCode::Version => 7,
        ReasonCode::SkillIneligible => 8,
        ReasonCode::TagMismatch => 9,
        ReasonCode::NoNodeWithSkill => 10,
        _ => 0,
    }
}

/// What a class demands, in words.
fn needs(req: &crate::model::Requirements) -> String {
    let mut parts = Vec::new();
    if !req.skills.is_empty() {
        let skills: Vec<String> = req.skills.iter().map(ToString::to_string).collect();
        parts.push(format!("skill {}", skills.join(", ")));
    }
    if req.command {
        parts.push("a node that allows commands".to_owned());
    }
    if !req.tags.is_empty() {
        parts.push(format!("tags {}", req.tags.join(", ")));
    }
    if let Some(node) = &req.node {
        parts.push(format!("node {node}"));
    }
    if req.demand.cpu_milli > 0 {
        parts.push(format!("{} thousandths of a core", req.demand.cpu_milli));
    }
    if req.demand.memory_bytes > 0 {
        parts.push(format!("{} bytes of memory", req.demand.memory_bytes));
    }
    if req.demand.gpus > 0 {
        parts.push(format!("{} gpus", req.demand.gpus));
    }
    parts.extend(
        req.demand
            .custom
            .iter()
            .map(|(name, count)| format!("{count} {name}")),
    );
    parts.join(", ")
}
