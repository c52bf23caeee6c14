//! Every saga there is, one table a file.

pub mod cancellation;
pub mod checkout;
pub mod refund;
