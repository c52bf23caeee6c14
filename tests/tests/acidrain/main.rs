//! `ACIDRain`: what a shop loses when requests that are fine one by one arrive at once.
//!
//! Todd Warszawski and Peter Bailis (`ACIDRain`: *Concurrency-Related Attacks on Database-Backed
//! Web Applications*, SIGMOD 2017) looked at twelve shop systems and found 22 ways to cheat them,
//! each open to anybody who can send two requests at the same time. They sort them twice. By what
//! is lost:
//!
//! - **inventory**: more is sold than there is;
//! - **voucher**: a code or gift card is spent more often than it may be;
//! - **cart**: less is paid than is shipped.
//!
//! And by why: **level-based**, where the transaction is there and its isolation is too weak (what
//! was read is not true any more when it is acted on), and **scope-based**, where what ought to be
//! one transaction is several, perhaps in several requests, and others come in between.
//!
//! # What is tried here
//!
//! The 22 are few kinds, found again in shop after shop. These are kinds of inventory (I), voucher
//! (V) and cart attacks (C): I1, I2, V1 to V3, C1 and C2 are the paper's, the others are the same
//! two mistakes at the other doors that our interface has. An attacker sees requests only, so a
//! kind is tried the same way whether a shop fell to it by level or by scope; the column says where
//! a shop is weak.
//!
//! | kind | why | what such a shop did |
//! |---|---|---|
//! | I1 | level | read the count, and wrote back one less |
//! | I2 | scope | compared basket and stock, and took it off in a later transaction |
//! | I3 | scope | took the lines of a basket off one by one |
//! | I4 | level | wrote a corrected count over a sale in between |
//! | I5 | scope | reserved in one request, and sold it in another unseen |
//! | V1 | level | read the count of uses, and wrote back one more |
//! | V2 | scope | looked for a use when the code was typed in, noted it when it was sold |
//! | V3 | scope | took the card off the order, and the order off the card, apart |
//! | C1 | scope | summed the cart up to be paid, and read it again to be shipped |
//! | C2 | level | read the lines of a cart one by one while they changed |
//! | C3 | level | read a price for the sum, and again for the order |
//! | C4 | scope | let one cart be bought in two windows, and one of them go unpaid |
//!
//! | kind | tried by |
//! |---|---|
//! | I1 | `inventory::last_unit_is_held_by_one_of_many` |
//! | I1 | `inventory::last_unit_is_sold_to_one_of_many` |
//! | I2 | `inventory::last_units_are_promised_once_when_held_and_bought_at_once` |
//! | I2 | `inventory::last_units_are_promised_once_over_http_and_wire_at_once` |
//! | I3 | `inventory::baskets_over_several_shards_take_all_lines_or_none` |
//! | I4 | `inventory::stock_that_is_moved_while_it_is_sold_is_counted_once` |
//! | I5 | `holds::hold_is_bought_once_by_many_of_any_session` |
//! | I5 | `holds::hold_that_is_released_and_extended_while_it_is_bought_goes_one_way` |
//! | I5 | `holds::hold_that_expires_while_it_is_bought_goes_one_way` |
//! | I5 | `holds::unit_that_comes_back_goes_to_one_of_those_who_wait` |
//! | V1 | `coupons::code_for_a_few_is_used_by_a_few_when_orders_fail_besides` |
//! | V2 | `coupons::once_only_code_is_used_by_one_of_many_checkouts` |
//! | V2 | `coupons::code_that_is_changed_and_withdrawn_while_it_is_used_keeps_its_terms` |
//! | V3 | `coupons::gift_card_pays_for_one_order` |
//! | V3 | `coupons::cancelled_order_gives_its_use_back_once` |
//! | C1 | `carts::cart_that_is_filled_while_it_is_bought_is_paid_for_as_it_ships` |
//! | C1 | `carts::cart_that_is_emptied_while_it_is_bought_ships_what_was_paid_for` |
//! | C2 | `carts::cart_is_bought_as_it_stood_at_one_moment` |
//! | C3 | `carts::price_that_is_changed_while_it_is_paid_is_charged_as_the_order_says` |
//! | C4 | `carts::cart_that_is_bought_by_many_at_once_is_paid_for_each_time_it_ships` |
//!
//! Two families are ours. [`orders`] does to an order's end what the paper's attacks do to its
//! beginning (paid back twice, shipped and paid back). [`replay`] sends the same signed bytes
//! hundreds of times, and one identity for many commands: a shop that signs its requests must not
//! fall to its own retries.
//!
//! # How
//!
//! Every attacker is connected before anybody is let go, all at once, in bounded rounds. Nothing is
//! timed: whoever wins, the same must hold afterwards. That is judged four times, by what shares no
//! code: what clients were told, what the node shows, what the gateway was paid, and the audit of
//! the stopped store, which replays the log into books of its own. Stores have one shard, where one
//! decision does it all, and several, where goods, codes and orders agree by message.
//!
//! Deliberately not here: forged and stolen requests (`security`), crashes at every moment
//! (`crash`, `payments`), and all orders of events (the simulated world, `claw-dst`), which tries
//! more of them than any race of threads.

mod bodies;
mod books;
mod carts;
mod coupons;
mod holds;
mod inventory;
mod orders;
mod replay;
mod world;
