//! From bytes on a socket to authenticated commands, and back.
