//! Types that `claw schema codegen --lang rust` printed, compiled as they would be elsewhere.
//!
//! The texts lie in `tests/generated/`; a test says when they are not what is printed any more.

/// Of a schema with every type there is.
pub mod everything {
    include!("../generated/everything.rs.txt");
}

/// Of the retail template.
pub mod retail {
    include!("../generated/retail.rs.txt");
}
