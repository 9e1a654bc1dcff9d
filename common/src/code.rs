//! Stable codes: why a task waits, why it ended, why a request was refused.

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads a stable word.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

codes!(
    /// Why a task is not running, or how it ended. One vocabulary for `reason.code` and `error.code`.
    ReasonCode {
        /// No known node has the skill.
        NoNodeWithSkill = "NO_NODE_WITH_SKILL",
        /// The node has the skill but cannot run it.
        SkillIneligible = "SKILL_INELIGIBLE",
        /// The node is not connected.
        NodeOffline = "NODE_OFFLINE",
        /// The node announced sleep.
        NodeAsleep = "NODE_ASLEEP",
        /// The node missed heartbeats.
        NodeSuspect = "NODE_SUSPECT",
        /// The node is wedged, incompatible or failing.
        NodeError = "NODE_ERROR",
        /// The node has no free slot.
        NodeBusy = "NODE_BUSY",
        /// The node has too little of a resource.
        Resources = "RESOURCES",
        /// The node lacks a tag, or another node is asked for by name.
        TagMismatch = "TAG_MISMATCH",
        /// The operator keeps new work away from the node.
        Cordoned = "CORDONED",
        /// The node's owner paused it.
        Paused = "PAUSED",
        /// The node speaks no common protocol.
        Version = "VERSION",
        /// Its earliest start has not come.
        NotBefore = "NOT_BEFORE",
        /// It waits before its next attempt.
        Backoff = "BACKOFF",
        /// Others go first.
        Priority = "PRIORITY",
        /// The coordinator has restarted and waits for its node to report.
        Recovering = "RECOVERING",
        /// Somebody asked to cancel it; its node has not confirmed.
        Cancelling = "CANCELLING",
        /// The store takes no writes.
        StoreReadOnly = "STORE_READ_ONLY",
        /// Offered to a node, not started.
        Offered = "OFFERED",
        /// Running.
        Running = "RUNNING",
        /// Ended well.
        Ok = "OK",
        /// The process exited with a code other than 0.
        Exit = "EXIT",
        /// The process was ended by a signal.
        Signal = "SIGNAL",
        /// The timeout was reached.
        Timeout = "TIMEOUT",
        /// No progress for too long.
        ProgressTimeout = "PROGRESS_TIMEOUT",
        /// Result or output not acceptable.
        Output = "OUTPUT",
        /// It could not be started on three nodes.
        Spawn = "SPAWN",
        /// Its node was lost once too often, or once and it may not run again.
        Lost = "LOST",
        /// It took its worker down three times.
        Poison = "POISON",
        /// It waited too long for its first start.
        QueueTimeout = "QUEUE_TIMEOUT",
        /// Somebody asked.
        Cancelled = "CANCELLED",
        /// Its node drained or stopped after it had started.
        HandedBack = "HANDED_BACK",
    }
);

codes!(
    /// Why a request was refused. Maps to one HTTP status and one gRPC code at the edge.
    ErrorCode {
        /// A field has a wrong form or value.
        InvalidArgument = "INVALID_ARGUMENT",
        /// No such task, node or skill.
        NotFound = "NOT_FOUND",
        /// The id or key is taken by another content.
        AlreadyExists = "ALREADY_EXISTS",
        /// A size or count is over its limit.
        TooLarge = "TOO_LARGE",
        /// The queue is full; come back later.
        QueueFull = "QUEUE_FULL",
        /// Too many requests at once; come back later.
        Overloaded = "OVERLOADED",
        /// The store cannot write: the disk is full.
        StoreFull = "STORE_FULL",
        /// The store is being reopened; whether the request took effect is unknown.
        Unavailable = "UNAVAILABLE",
        /// No token, or a wrong one.
        Unauthenticated = "UNAUTHENTICATED",
        /// The token does not allow this.
        PermissionDenied = "PERMISSION_DENIED",
        /// It does not fit the present state.
        FailedPrecondition = "FAILED_PRECONDITION",
        /// A mistake in the program.
        Internal = "INTERNAL",
    }
);

#[cfg(test)]
mod tests {
    use super::{ErrorCode, ReasonCode};

    #[test]
    fn codes_parse_back_and_differ() {
        for code in ReasonCode::ALL {
            assert_eq!(ReasonCode::parse(code.as_str()), Some(*code));
        }
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::parse(code.as_str()), Some(*code));
        }
        assert_eq!(ReasonCode::parse("nonsense"), None);
    }
}
