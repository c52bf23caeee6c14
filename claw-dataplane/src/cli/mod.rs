//! One file per verb of the claw command.
