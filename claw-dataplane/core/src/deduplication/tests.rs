//! The window against a plain list, over random traffic, wraps included.

use proptest::prelude::*;

use super::*;

fn identity(n: u64) -> CommandKey {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    key[8..].copy_from_slice(&n.to_le_bytes());
    CommandKey { key, digest: [7; 16] }
}

fn fill(n: u64) -> u8 {
    n.to_le_bytes()[0]
}

#[test]
fn young_answer_is_never_forgotten_and_a_full_window_says_so() {
    let mut window = Window::with_capacity(64 * 1024);
    let answer = [1; 1000];
    let mut remembered = 0;
    while window.has_room(5) {
        assert!(window.remember(&identity(remembered), 5, &answer));
        remembered += 1;
    }
    for n in 0..remembered {
        assert_eq!(window.find(&identity(n)), Known::Answered(&answer));
    }
    assert!(!window.has_room(5 + DEDUPLICATION_WINDOW_MS));
    assert!(window.has_room(6 + DEDUPLICATION_WINDOW_MS));
}

#[test]
fn window_of_the_shortest_answers_is_full_when_its_index_is() {
    let mut window = Window::with_capacity(1 << 20);
    let mut remembered = 0;
    while window.has_room(5) {
        assert!(window.remember(&identity(remembered), 5, b"."));
        remembered += 1;
    }
    assert_eq!(remembered, (1 << 20) / 88);
    assert!((0..remembered).all(|n| window.find(&identity(n)) == Known::Answered(b".")));
    assert!(!window.remember(&identity(remembered), 5, b"."));
    let later = 6 + DEDUPLICATION_WINDOW_MS;
    assert!(window.has_room(later) && window.remember(&identity(remembered), later, b"."));
}

#[test]
fn same_key_with_another_body_is_told_apart() {
    let mut window = Window::with_capacity(64 * 1024);
    assert!(window.remember(&identity(1), 5, b"yes"));
    let other = CommandKey { digest: [8; 16], ..identity(1) };
    assert_eq!(window.find(&other), Known::OtherBody);
    window.begin(&identity(2));
    assert_eq!(window.find(&identity(2)), Known::Deciding);
    assert!(window.remember(&identity(2), 6, b"no"));
    assert_eq!(window.find(&identity(2)), Known::Answered(b"no"));
}

proptest! {
    #[test]
    fn window_remembers_like_a_list(
        steps in prop::collection::vec((0..4096_usize, 0..60_000_u64), 1..400)
    ) {
        let mut window = Window::with_capacity(64 * 1024);
        let mut list: Vec<(u64, u64, usize)> = Vec::new();
        let mut now = 0;
        for (n, (length, delta)) in (0_u64..).zip(steps) {
            now += delta;
            if window.has_room(now) {
                prop_assert!(window.remember(&identity(n), now, &vec![fill(n); length]));
                list.push((n, now, length));
            }
            list.retain(|(_, at, _)| at + DEDUPLICATION_WINDOW_MS >= now);
            for (n, _, length) in &list {
                let answer = vec![fill(*n); *length];
                prop_assert_eq!(window.find(&identity(*n)), Known::Answered(&answer[..]));
            }
            let young = window.young(now).map(|entry| (entry.at_ms, entry.answer.len()));
            let young: Vec<_> = young.collect();
            let expected: Vec<_> = list.iter().map(|(_, at, length)| (*at, *length)).collect();
            prop_assert_eq!(young, expected);
        }
    }
}
