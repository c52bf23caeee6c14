//! The machine: where its files are, and in whose words to give advice.

use std::fs;
use std::path::{Path, PathBuf};

/// Distributions whose commands we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Fedora.
    Fedora,
    /// RHEL and what is built from it.
    Rhel,
    /// Debian, Ubuntu and theirs.
    Debian,
    /// Another: commands are named without the package.
    Other,
}

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Host {
    /// `/`, or a test's picture of another machine.
    pub root: PathBuf,
    /// In whose words advice is given.
    pub family: Family,
}

impl Host {
    /// The machine this runs on.
    pub fn this() -> Self {
        Self::at(Path::new("/"))
    }

    /// The machine whose files are below `root`.
    pub fn at(root: &Path) -> Self {
        let release = fs::read_to_string(root.join("etc/os-release")).unwrap_or_default();
        Self { root: root.to_path_buf(), family: family(&release) }
    }

    /// The first line of a file below the root, trimmed; `None` where there is none.
    pub fn line(&self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        Some(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// A whole file below the root.
    pub fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path.trim_start_matches('/'))).ok()
    }

    /// How to get a program here: `package` as Fedora and RHEL call it, then as Debian does.
    pub fn install(&self, fedora: &str, debian: &str) -> String {
        match self.family {
            Family::Fedora | Family::Rhel => format!("dnf install {fedora}"),
            Family::Debian => format!("apt-get install {debian}"),
            Family::Other => format!("install {fedora}"),
        }
    }

    /// How to set a kernel parameter now and for good.
    pub fn sysctl(parameter: &str, value: &str) -> String {
        format!(
            "sysctl {parameter}={value}, and write `{parameter} = {value}` to \
             /etc/sysctl.d/60-openclaw.conf"
        )
    }

    /// How to add to the kernel's command line.
    pub fn boot_parameter(&self, parameter: &str) -> String {
        match self.family {
            Family::Fedora | Family::Rhel => {
                format!("grubby --update-kernel=ALL --args=\"{parameter}\", then reboot")
            }
            Family::Debian => format!(
                "add {parameter} to GRUB_CMDLINE_LINUX in /etc/default/grub, run update-grub, then \
                 reboot"
            ),
            Family::Other => format!("add {parameter} to the kernel's command line, then reboot"),
        }
    }
}

/// From `ID` and `ID_LIKE` of os-release(5).
fn family(release: &str) -> Family {
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let names = format!("{} {}", value("ID="), value("ID_LIKE="));
    let mut known = names.split_whitespace().filter_map(|name| match name {
        "fedora" => Some(Family::Fedora),
        "rhel" | "centos" | "rocky" | "almalinux" => Some(Family::Rhel),
        "debian" | "ubuntu" => Some(Family::Debian),
        _ => None,
    });
    known.next().unwrap_or(Family::Other)
}

#[cfg(test)]
mod tests {
    use super::{Family, family};

    #[test]
    fn distributions_are_known_by_name_or_by_what_they_are_like() {
        let rows = [
            ("ID=fedora\nVERSION_ID=44\n", Family::Fedora),
            ("ID=\"rhel\"\nID_LIKE=\"fedora\"\n", Family::Rhel),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Family::Rhel),
            ("ID=debian\n", Family::Debian),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Family::Debian),
            ("ID=arch\n", Family::Other),
            ("", Family::Other),
        ];
        for (release, expected) in rows {
            assert_eq!(family(release), expected, "{release}");
        }
    }
}
