//! Payments: a real node, a real vault and a real gateway process, on good days and bad ones.

mod bad_days;
mod cards;
mod device;
mod orders;
mod shop;
mod webhooks;
