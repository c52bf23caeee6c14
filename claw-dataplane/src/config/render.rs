//! The `store.toml` that a new store begins with, written from the settings themselves.
//!
//! What the template chose stands there; every other setting stands there as a comment with its
//! default, so that the file is its own manual.

use std::fmt::Write as _;

use super::settings::{SECTIONS, Setting, Shape, of_section};

/// Writes the file. `chosen` are settings (`section.key`) and their values in TOML.
///
/// # Panics
/// If a chosen setting does not exist or its value does not fit: templates are ours.
pub fn render(introduction: &str, chosen: &[(&str, String)]) -> String {
    let mut text = String::new();
    for line in introduction.lines() {
        line_into(&mut text, &format!("# {line}"));
    }
    line_into(
        &mut text,
        "# Every setting is here; those behind a `#` show their default. The environment wins over",
    );
    line_into(&mut text, "# this file (CLAW_NODE_LISTEN for [node] listen), flags win over both.");
    let mut used = 0;
    for (section, about) in SECTIONS {
        line_into(&mut text, &format!("\n# {about}\n[{section}]"));
        for setting in of_section(section) {
            let choice = chosen.iter().find(|(path, _)| *path == setting.path());
            used += usize::from(choice.is_some());
            setting_into(&mut text, setting, choice.map(|(_, value)| value.as_str()));
        }
    }
    assert_eq!(used, chosen.len(), "templates choose settings that exist, once: {chosen:?}");
    text
}

fn setting_into(text: &mut String, setting: &Setting, chosen: Option<&str>) {
    text.push('\n');
    for line in setting.doc.lines() {
        line_into(text, &format!("# {line}"));
    }
    let bounds = matches!(setting.shape, Shape::Integer { .. } | Shape::Size { .. });
    if bounds || matches!(setting.shape, Shape::Choice(words) if words.len() > 1) {
        line_into(text, &format!("# Allowed: {}.", setting.shape.wanted()));
    }
    match chosen {
        Some(value) => line_into(text, &format!("{} = {value}", setting.key)),
        None => line_into(text, &format!("#{} = {}", setting.key, setting.default)),
    }
}

fn line_into(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a String takes every character");
}
