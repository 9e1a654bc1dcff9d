//! Mistakes that can be planted into the simulated shells, to see that the checks would catch them.
//!
//! Each stands for one that a shell, an engine or a network layer could really make. None of them touches the real
//! core or the real worker state: they falsify what goes in or comes out.

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// A planted mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug { $($(#[$doc])* $name),+ }

        impl Bug {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

bugs! {
    /// The driver answers clients when it hands a batch to the store, not when the batch is durable.
    ReplyBeforeFlush,
    /// The driver sends offers when it hands a batch to the store.
    SendBeforeFlush,
    /// A batch that broke off counts as far as it came.
    TornBatchKept,
    /// A restart goes on with the epoch of the run before.
    EpochNotRaised,
    /// Standing still is not told to the core.
    StallNotTold,
    /// The end of a stream is told as if the worker had said goodbye.
    CloseTakenAsBye,
    /// The end of an old stream is told as the end of the new one.
    CloseOfOldStream,
    /// A result is taken for the task's latest attempt, whichever attempt it came from.
    ResultByTask,
    /// The idempotency key is lost on the way in.
    KeyDropped,
    /// Heartbeats leave out what runs.
    HeartbeatOmitsRunning,
    /// Heartbeats say that offers were taken in which have not arrived.
    HeartbeatSeesTooMuch,
    /// The worker forgets a result when it has been sent.
    ResultForgottenWhenSent,
    /// "Send the result" arrives as "forget it".
    SendResultAsForget,
    /// The worker takes its own heartbeats for acknowledged.
    SelfVouched,
    /// After sleep the worker handles what waits before it looks at the clocks.
    SleepNoticedLate,
    /// The worker still takes messages of the stream before.
    OldStreamHeard,
    /// A worker that starts does not look for results of its former self.
    SpoolIgnored,
    /// A worker that starts leaves the programs of its former self running.
    LeftoversSpared,
    /// Nobody ends attempts that are no longer wanted.
    SupersededSpared,
    /// What cancelling asks of a worker never gets there.
    CancelNotSent,
}
