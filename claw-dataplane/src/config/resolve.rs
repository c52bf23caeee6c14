//! From file, environment and flags to one value per setting; the later of the three wins.
//!
//! Collects every problem instead of stopping at the first: a person mends a file once.

use std::collections::BTreeMap;
use std::ops::Range;

use claw_core::schema::closest;
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::settings::{SECTIONS, SETTINGS, Setting, Shape, find, of_section};
use super::values::{Raw, Value};

/// What wins over the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Names and values of the process environment; other programs' are ignored.
    pub environment: Vec<(String, String)>,
    /// Flag as the person wrote it (`--listen`), setting (`node.listen`), value.
    pub flags: Vec<(&'static str, &'static str, String)>,
    /// The same for flags that may be given several times: their values hold commas of their own.
    pub lists: Vec<(&'static str, &'static str, Vec<String>)>,
}

impl Overrides {
    /// The environment of this process, no flags yet.
    pub fn from_environment() -> Self {
        // Variables that are not Unicode cannot be ours: our names and values are ASCII.
        let text = |word: std::ffi::OsString| word.into_string().ok();
        let environment =
            std::env::vars_os().filter_map(|(name, value)| text(name).zip(text(value))).collect();
        Self { environment, ..Self::default() }
    }

    /// Adds a flag when it was given. `setting` is `section.key`.
    pub fn flag(&mut self, flag: &'static str, setting: &'static str, value: Option<String>) {
        self.flags.extend(value.map(|value| (flag, setting, value)));
    }

    /// Adds a flag that may be given several times, when it was given at all.
    pub fn list(&mut self, flag: &'static str, setting: &'static str, values: Vec<String>) {
        if !values.is_empty() {
            self.lists.push((flag, setting, values));
        }
    }
}

/// Where a value came from, for problems that only show when values meet.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) value: Value,
    pub(super) place: String,
}

/// Every setting's value by section and key, or every problem.
#[derive(Debug)]
pub(super) struct Resolution {
    values: BTreeMap<(&'static str, &'static str), Resolved>,
    pub(super) problems: Vec<Problem>,
}

/// Resolves all settings. `file` is the name to show, `text` what stands in it.
pub(super) fn resolve(file: &str, text: &str, overrides: &Overrides) -> Resolution {
    let mut resolution = Resolution { values: BTreeMap::new(), problems: Vec::new() };
    resolution.read_file(&Lines { file, text });
    resolution.read_environment(&overrides.environment);
    let words =
        overrides.flags.iter().map(|(flag, path, word)| (flag, path, Raw::Word(word.clone())));
    let lists =
        overrides.lists.iter().map(|(flag, path, list)| (flag, path, Raw::Texts(list.clone())));
    for (flag, path, raw) in words.chain(lists) {
        let (section, key) = path.split_once('.').expect("a flag names a setting");
        let setting = find(section, key).expect("a flag names a setting");
        resolution.take(setting, &raw, format!("`{flag}`"));
    }
    resolution.fill_defaults(file);
    resolution
}

struct Lines<'a> {
    file: &'a str,
    text: &'a str,
}

impl Lines<'_> {
    fn place(&self, span: Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        format!("{}:{}", self.file, before.matches('\n').count() + 1)
    }
}

impl Resolution {
    /// The value and where it came from.
    pub(super) fn get(&self, section: &'static str, key: &'static str) -> &Resolved {
        let found = self.values.get(&(section, key));
        found.unwrap_or_else(|| panic!("[{section}] {key} is a setting with a value"))
    }

    pub(super) fn refuse(&mut self, reason: String, place: String, advice: impl Into<String>) {
        self.problems.push(Problem { reason, place, advice: advice.into() });
    }

    fn read_file(&mut self, lines: &Lines<'_>) {
        let (table, errors) = DeTable::parse_recoverable(lines.text);
        for error in &errors {
            let place = lines.place(error.span().unwrap_or(0..0));
            self.refuse(error.message().to_owned(), place, "mend the TOML");
        }
        if !errors.is_empty() {
            return;
        }
        for (name, value) in table.get_ref() {
            let section: &str = name.get_ref();
            match (SECTIONS.iter().find(|(known, _)| *known == section), value.get_ref()) {
                (Some((section, _)), DeValue::Table(entries)) => {
                    self.read_section(lines, section, entries);
                }
                (Some(_), _) => {
                    let reason = format!("`{section}` is a section");
                    self.refuse(reason, lines.place(name.span()), format!("write [{section}]"));
                }
                (None, _) => {
                    let names = SECTIONS.map(|(name, _)| name);
                    let near = closest(section, names).map(|near| format!("[{near}]"));
                    let known = format!("sections are {}", names.join(", "));
                    let reason = format!("unknown section [{section}]");
                    self.refuse(reason, lines.place(name.span()), suggestion(near, known));
                }
            }
        }
    }

    fn read_section(&mut self, lines: &Lines<'_>, section: &'static str, entries: &DeTable<'_>) {
        for (name, value) in entries {
            let key: &str = name.get_ref();
            let place = lines.place(name.span());
            if let Some(setting) = find(section, key) {
                self.take(setting, &Raw::of_toml(value.get_ref()), place);
                continue;
            }
            let keys: Vec<_> = of_section(section).map(|setting| setting.key).collect();
            let near = closest(key, keys.iter().copied()).map(|near| format!("`{near}`"));
            let elsewhere = SETTINGS.iter().find(|setting| setting.key == key);
            let known = elsewhere.map_or_else(
                || format!("[{section}] has {}", keys.join(", ")),
                |other| format!("it belongs to [{}]", other.section),
            );
            let reason = format!("unknown key `{key}` in [{section}]");
            self.refuse(reason, place, suggestion(near, known));
        }
    }

    /// Variables named like ours must be ours, or a typing mistake would go unseen. `CLAW_STORE_*`
    /// and `CLAW_PAYMENTS_*` are shared with other verbs and only read when they are settings.
    fn read_environment(&mut self, environment: &[(String, String)]) {
        for (name, word) in environment.iter().filter(|(name, _)| name.starts_with("CLAW_")) {
            let place = format!("environment `{name}`");
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == *name) {
                self.take(setting, &Raw::Word(word.clone()), place);
                continue;
            }
            let ours = SECTIONS
                .iter()
                .filter(|(section, _)| !matches!(*section, "store" | "payments"))
                .any(|(section, _)| {
                    name.starts_with(&format!("CLAW_{}_", section.to_ascii_uppercase()))
                });
            if ours {
                let variables: Vec<_> = SETTINGS.iter().map(Setting::variable).collect();
                let near = closest(name, variables.iter().map(String::as_str));
                let advice = suggestion(near.map(|near| format!("`{near}`")), "unset it".into());
                self.refuse(format!("unknown variable `{name}`"), place, advice);
            }
        }
    }

    fn take(&mut self, setting: &'static Setting, raw: &Raw, place: String) {
        match setting.shape.admit(raw) {
            Ok(value) => {
                self.values.insert((setting.section, setting.key), Resolved { value, place });
            }
            Err(wanted) => {
                let found = if let Raw::Other(what) = raw { *what } else { "that" };
                let reason = format!("`{}` cannot be {found}", setting.path());
                self.refuse(reason, place, advice_for(setting.shape, raw, &wanted));
            }
        }
    }

    fn fill_defaults(&mut self, file: &str) {
        let failed = !self.problems.is_empty();
        for setting in &SETTINGS {
            if self.values.contains_key(&(setting.section, setting.key)) {
                continue;
            }
            if !setting.default.is_empty() {
                let raw = default_of(setting);
                let value = setting.shape.admit(&raw).expect("defaults are within their bounds");
                let place = format!("default of `{}`", setting.path());
                self.values.insert((setting.section, setting.key), Resolved { value, place });
            } else if !failed {
                let reason = format!("`{}` is missing", setting.path());
                let advice = format!("add it: {}", setting.shape.wanted());
                self.refuse(reason, file.to_owned(), advice);
            }
        }
    }
}

fn advice_for(shape: Shape, raw: &Raw, wanted: &str) -> String {
    if let (Shape::Choice(words), Raw::Text(text) | Raw::Word(text)) = (shape, raw)
        && let Some(near) = closest(text, words.iter().copied())
    {
        return format!("did you mean \"{near}\"?");
    }
    format!("it must be {wanted}")
}

fn default_of(setting: &Setting) -> Raw {
    let value = DeValue::parse(setting.default).expect("defaults are TOML");
    Raw::of_toml(value.get_ref())
}

fn suggestion(near: Option<String>, otherwise: String) -> String {
    near.map_or(otherwise, |near| format!("did you mean {near}?"))
}
