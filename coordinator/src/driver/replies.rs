//! Who waits for which answer.

use openclaw_core::effect::Reply;
use openclaw_core::event::ReplyId;
use tokio::sync::oneshot;

/// Those who wait. Dropping it tells all of them that the outcome is unknown.
#[derive(Debug, Default)]
pub(super) struct Replies {
    waiting: Vec<Option<oneshot::Sender<Reply>>>,
    free: Vec<usize>,
}

impl Replies {
    /// Remembers who waits. The number is given again once it has been answered.
    pub(super) fn add(&mut self, reply: oneshot::Sender<Reply>) -> ReplyId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.waiting.push(None);
            self.waiting.len() - 1
        });
        self.waiting[slot] = Some(reply);
        ReplyId(u64::try_from(slot).unwrap_or(u64::MAX))
    }

    /// Answers; who has gone away meanwhile doesn't matter.
    pub(super) fn answer(&mut self, id: ReplyId, reply: Reply) {
        let slot = usize::try_from(id.0).unwrap_or(usize::MAX);
        let Some(waiter) = self.waiting.get_mut(slot).and_then(Option::take) else {
            tracing::error!(reply = id.0, "an answer that nobody waits for");
            return;
        };
        self.free.push(slot);
        drop(waiter.send(reply));
    }
}

#[cfg(test)]
mod tests {
    use openclaw_core::effect::Reply;
    use tokio::sync::oneshot;

    use super::Replies;

    #[tokio::test]
    async fn each_waiter_gets_its_own_answer_and_numbers_are_used_again() {
        let mut replies = Replies::default();
        let (first, mut first_answer) = oneshot::channel();
        let (second, second_answer) = oneshot::channel();
        let (first_id, second_id) = (replies.add(first), replies.add(second));
        replies.answer(second_id, Reply::Tasks(Vec::new()));
        assert_eq!(second_answer.await, Ok(Reply::Tasks(Vec::new())));
        assert!(first_answer.try_recv().is_err());
        let (third, third_answer) = oneshot::channel();
        assert_eq!(replies.add(third), second_id);
        replies.answer(first_id, Reply::Task(None));
        assert_eq!(first_answer.await, Ok(Reply::Task(None)));
        drop(replies);
        assert!(
            third_answer.await.is_err(),
            "an answer that never came is told as such"
        );
    }
}
