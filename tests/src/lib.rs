//! Whole-process tests: the shared harness.
