//! `claw schema`, the real program: checked, compared, and as types of other languages.

mod check;
mod codegen;
mod diff;
mod samples;
