//! What keeps a wire connection from doing what was asked.
//!
//! A command that the node refuses is not here: that is an answer ([`super::Body::Problem`]).

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A text or list that the layout cannot hold.
    #[error("encode a command: {member} is too long")]
    TooLong {
        /// Which.
        member: &'static str,
    },
    /// A command that fits no frame of this node.
    #[error("encode a command: {bytes} bytes, and a frame of this node holds {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// What a command may have.
        bytes_max: usize,
    },
    /// No credit or no room in the send buffer: take an answer first.
    #[error("send a command: {unanswered} are unanswered; take an answer first")]
    Full {
        /// Commands that wait for their answer.
        unanswered: usize,
    },
    /// There is no connection that has been welcomed.
    #[error("send a command: not connected")]
    NotOpen,
    /// The node's bytes are not what the protocol says.
    #[error("read a frame of the node: {reason}")]
    Protocol {
        /// What is wrong.
        reason: &'static str,
    },
    /// The node ended the connection and says why.
    #[error("the node closed the connection: {name}: {detail}")]
    Closed {
        /// Name of the problem.
        name: String,
        /// What happened and what to do.
        detail: String,
        /// Whether a new connection may be served.
        retry: bool,
    },
    /// The connection failed.
    #[error("{action} {peer}: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// With whom.
        peer: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The system gave no randomness.
    #[error("open a connection: the system gave no randomness")]
    Random,
    /// The other half of a split connection is gone.
    #[error("send a command: nobody drives the connection any more")]
    Gone,
}

impl WireError {
    /// Whether a new connection may go better: the old one broke, or the node said so.
    pub fn is_momentary(&self) -> bool {
        match self {
            // A certificate that is not believed will not be believed the next time.
            Self::Io { source, .. } => source.kind() != std::io::ErrorKind::InvalidData,
            Self::Closed { retry, .. } => *retry,
            _ => false,
        }
    }
}
