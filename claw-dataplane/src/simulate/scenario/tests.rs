//! Scenario files: what ships parses, and mistakes are named with their line.

use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::*;

const BASE: &str = r#"about = "test"
users = 1
duration = "1s"
[catalogue]
sku_prefix = "P"
count = 100
price = { amount = 1, currency = "EUR" }
stock = 5
"#;

fn message(tail: &str) -> String {
    Scenario::parse("t", "t.toml", &format!("{BASE}{tail}")).unwrap_err().to_string()
}

#[test]
fn every_shipped_scenario_parses_and_says_what_it_is() {
    for (name, text) in scenarios::ALL {
        let scenario = Scenario::parse(name, name, text).unwrap();
        assert!(!scenario.about.is_empty());
        assert!(scenario.hot_count <= scenario.products.len());
    }
}

#[test]
fn unknown_member_is_named_with_its_line_and_what_is_allowed() {
    let message = message("[[behaviour]]\nkind = \"browse\"\nweight = 1\nview = [1, 2]\n");
    assert!(message.starts_with("t.toml:12: unknown field `view`"), "{message}");
    assert!(message.contains("`views`"), "{message}");
}

#[test]
fn member_of_another_kind_is_refused_with_the_allowed_ones() {
    let message = message("[[behaviour]]\nkind = \"bot\"\nweight = 1\nviews = [1, 2]\n");
    assert_eq!(
        message,
        "t.toml:10: views means nothing to a bot behaviour; allowed: kind, weight, think_ms, \
         tries, quantity, ttl_ms"
    );
}

#[test]
fn unknown_kind_lists_the_kinds() {
    let message = message("[[behaviour]]\nkind = \"brows\"\nweight = 1\n");
    assert!(message.starts_with("t.toml:10: behaviour kind \"brows\"; allowed: browse, hold"));
}

#[test]
fn shares_that_do_not_add_up_are_refused_where_they_stand() {
    let message = message("\n[[behaviour]]\nkind = \"hold\"\nweight = 1\ncheckout = 0.5\n");
    assert!(message.starts_with("t.toml:10: checkout + release + abandon is not 1"), "{message}");
}

#[test]
fn backward_range_is_refused() {
    let message = message("[[behaviour]]\nkind = \"browse\"\nweight = 1\nviews = [3, 2]\n");
    assert!(message.contains("views = [3, 2]; allowed: [least, most] within 1 to 1000"));
}

#[test]
fn picks_follow_the_hot_share_and_the_rest_is_skewed() {
    let text = scenarios::text("drop").unwrap();
    let scenario = Scenario::parse("drop", "drop", text).unwrap();
    let chooser = Chooser::new(&scenario);
    let mut rng = SmallRng::seed_from_u64(7);
    let mut counts = vec![0_u32; scenario.products.len()];
    for _ in 0..100_000 {
        counts[chooser.product(&mut rng) as usize] += 1;
    }
    let hot: u32 = counts[..scenario.hot_count].iter().sum();
    assert!((88_000..92_000).contains(&hot), "{hot}");
    assert!(counts[scenario.hot_count] > 4 * counts[scenario.hot_count + 9], "{counts:?}");
    assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
}

#[test]
fn behaviours_follow_their_weights() {
    let scenario = Scenario::parse("drop", "drop", scenarios::text("drop").unwrap()).unwrap();
    let chooser = Chooser::new(&scenario);
    let mut rng = SmallRng::seed_from_u64(7);
    let mut counts = vec![0_u32; scenario.behaviours.len()];
    for _ in 0..10_000 {
        counts[chooser.behaviour(&mut rng)] += 1;
    }
    assert!((5_050..5_480).contains(&counts[1]), "{counts:?}");
    assert!(counts.iter().all(|&count| count > 400), "{counts:?}");
}

#[test]
fn durations_are_read_and_nonsense_is_not() {
    assert_eq!(duration_of("500ms"), Some(Duration::from_millis(500)));
    assert_eq!(duration_of("2m"), Some(Duration::from_mins(2)));
    for bad in ["", "30", "s", "0s", "-1s", "1h30"] {
        assert_eq!(duration_of(bad), None, "{bad}");
    }
}

#[test]
fn store_scenario_wins_over_the_shipped_one_and_unknown_names_list_both() {
    let store = tempfile::tempdir().unwrap();
    let folder = store.path().join("scenarios");
    std::fs::create_dir(&folder).unwrap();
    let text = scenarios::text("smoke").unwrap().replace("users = 50", "users = 51");
    std::fs::write(folder.join("smoke.toml"), &text).unwrap();
    std::fs::write(folder.join("mine.toml"), &text).unwrap();
    assert_eq!(Scenario::find(store.path(), "smoke").unwrap().users, 51);
    assert_eq!(Scenario::find(store.path(), "drop").unwrap().name, "drop");
    let path = folder.join("mine.toml");
    assert_eq!(Scenario::find(store.path(), path.to_str().unwrap()).unwrap().name, "mine");
    let message = Scenario::find(store.path(), "dorp").unwrap_err().to_string();
    assert_eq!(
        message,
        "no scenario dorp: give a path, or one of browse, drop, mine, retail, smoke"
    );
}
