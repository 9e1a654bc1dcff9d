//! One method for each call of the service. `try_…` give the bare status to those who re-attach by themselves.

use std::time::Duration;

use openclaw_proto::v1;
use tonic::{Status, Streaming};

use super::channel::{Client, PATIENCE};
use crate::failure::Failure;

/// Most tasks in one page of a list.
const PAGE: u32 = 1000;

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident, $try_name:ident: $request:ident => $answer:ty;)+) => {
        impl Client {
            $(
                $(#[$doc])*
                pub async fn $name(&self, request: v1::$request) -> Result<$answer, Failure> {
                    match self.$try_name(&request).await {
                        Ok(answer) => Ok(answer),
                        Err(status) => Err(self.explain(status).await),
                    }
                }

                $(#[$doc])*
                /// The bare status is the error.
                pub async fn $try_name(&self, request: &v1::$request) -> Result<$answer, Status> {
                    self.send(request, PATIENCE, async |rpc, request| rpc.$name(request).await).await
                }
            )+
        }
    };
}

unary! {
    /// Accepts tasks, all or none.
    submit_tasks, try_submit_tasks: SubmitTasksRequest => v1::SubmitTasksResponse;
    /// Submits one task and follows it.
    run_task, try_run_task: RunTaskRequest => Streaming<v1::RunTaskResponse>;
    /// One task.
    get_task, try_get_task: GetTaskRequest => v1::GetTaskResponse;
    /// A page of tasks.
    list_tasks, try_list_tasks: ListTasksRequest => v1::ListTasksResponse;
    /// The state of each task, and each change.
    watch_tasks, try_watch_tasks: WatchTasksRequest => Streaming<v1::WatchTasksResponse>;
    /// Asks for a task to be ended.
    cancel_task, try_cancel_task: CancelTaskRequest => v1::CancelTaskResponse;
    /// What a task printed.
    get_task_logs, try_get_task_logs: GetTaskLogsRequest => Streaming<v1::GetTaskLogsResponse>;
    /// Why a task stands where it stands.
    explain_task, try_explain_task: ExplainTaskRequest => v1::ExplainTaskResponse;
    /// All nodes.
    list_nodes, try_list_nodes: ListNodesRequest => v1::ListNodesResponse;
    /// One node.
    get_node, try_get_node: GetNodeRequest => v1::GetNodeResponse;
    /// All skills.
    list_skills, try_list_skills: ListSkillsRequest => v1::ListSkillsResponse;
    /// The cluster in one look.
    get_cluster, try_get_cluster: GetClusterRequest => v1::GetClusterResponse;
}

impl Client {
    /// Tasks that match, newest first, over as many pages as `most` needs; 0 means all.
    pub async fn all_tasks(
        &self,
        mut request: v1::ListTasksRequest,
        most: usize,
    ) -> Result<Vec<v1::Task>, Failure> {
        let most = if most == 0 { usize::MAX } else { most };
        let mut tasks = Vec::new();
        loop {
            let missing = most.saturating_sub(tasks.len());
            request.limit = u32::try_from(missing).unwrap_or(PAGE).clamp(1, PAGE);
            let page = self.list_tasks(request.clone()).await?;
            tasks.extend(page.tasks);
            if tasks.len() >= most || page.next_cursor.is_empty() {
                tasks.truncate(most);
                return Ok(tasks);
            }
            request.cursor = page.next_cursor;
        }
    }

    /// One task with its timeline, or a failure that names it.
    pub async fn task(&self, task_id: &str, with_outputs: bool) -> Result<v1::Task, Failure> {
        let answer = self
            .get_task(v1::GetTaskRequest {
                task_id: task_id.to_owned(),
                with_outputs,
            })
            .await?;
        answer.task.ok_or_else(|| empty_answer(task_id))
    }

    /// Waits on the coordinator's side until the task is final or `timeout` is up.
    pub async fn try_wait_task(
        &self,
        task_id: &str,
        timeout: Duration,
    ) -> Result<v1::WaitTaskResponse, Status> {
        let request = v1::WaitTaskRequest {
            task_id: task_id.to_owned(),
            timeout: prost_types::Duration::try_from(timeout).ok(),
            with_outputs: true,
        };
        self.send(&request, timeout + PATIENCE, async |rpc, request| {
            rpc.wait_task(request).await
        })
        .await
    }
}

/// The coordinator answered without the thing asked for, which its contract rules out.
pub(crate) fn empty_answer(what: &str) -> Failure {
    Failure::local("BAD_ANSWER", format!("the coordinator's answer about {what} holds nothing"))
        .hint("the versions of coordinator and command line may differ: compare `openclaw-cluster status` and `openclaw-cluster --version`")
}
