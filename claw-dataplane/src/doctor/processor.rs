//! Processors: how many, how fast they are allowed to be, and who else runs on them.

use super::{Check, Host};
use crate::config::{Config, Profile};
use crate::runtime::placement::{Placement, cpus_allowed};

pub(super) fn checks(host: &Host, config: Option<&Config>) -> Vec<Check> {
    let allowed = cpus_allowed();
    let data = data_cpus(config, &allowed);
    vec![cores(&allowed, &data), governor(host, &data), isolation(host, config, &data)]
}

/// Where the data cores of this store would run.
fn data_cpus(config: Option<&Config>, allowed: &[usize]) -> Vec<usize> {
    let placement = config.map(|config| Placement::of_store(config, allowed));
    placement.unwrap_or_else(|| Placement::plan(0, 1, allowed)).cpus().to_vec()
}

fn cores(allowed: &[usize], data: &[usize]) -> Check {
    let found = format!("{} usable, data cores on {data:?}", allowed.len());
    let mut distinct = data.to_vec();
    distinct.dedup();
    if distinct.len() < data.len() {
        let advice = "lower `cores` in [node], or give the node more CPUs: several data cores \
                      share one";
        return Check::warn("cpus", found, advice);
    }
    if distinct.len() == allowed.len() {
        let advice = "leave one CPU to housekeeping, the network's interrupts and everything else";
        return Check::warn("cpus", found, advice);
    }
    Check::ok("cpus", found)
}

fn governor(host: &Host, data: &[usize]) -> Check {
    let name = "cpu-governor";
    let governors: Vec<String> = data
        .iter()
        .filter_map(|cpu| {
            host.line(&format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"))
        })
        .collect();
    if governors.is_empty() {
        return Check::ok(name, "no frequency control here (a virtual machine, or fixed)");
    }
    let slow: Vec<_> = governors.iter().filter(|governor| *governor != "performance").collect();
    match slow.first() {
        None => Check::ok(name, "performance on every data core"),
        Some(governor) => Check::warn(
            name,
            format!("{governor} on {} of {} data cores", slow.len(), data.len()),
            format!(
                "tuned-adm profile latency-performance, or cpupower frequency-set -g performance \
                 ({})",
                host.install("kernel-tools", "linux-cpupower")
            ),
        ),
    }
}

fn isolation(host: &Host, config: Option<&Config>, data: &[usize]) -> Check {
    let name = "cpu-isolation";
    let isolated = host.line("/sys/devices/system/cpu/isolated").unwrap_or_default();
    let isolated = cpu_list(&isolated);
    if data.iter().all(|cpu| isolated.contains(cpu)) {
        return Check::ok(name, format!("every data core is isolated ({data:?})"));
    }
    let production =
        config.is_some_and(|config| matches!(config.store.profile, Profile::Production));
    if !production {
        return Check::ok(name, "data cores are shared: fine for development");
    }
    let list = data.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let parameters = format!("isolcpus={list} nohz_full={list} rcu_nocbs={list}");
    let found = format!("data cores {data:?} are shared with everything else");
    Check::warn(name, found, host.boot_parameter(&parameters))
}

/// `0-2,5` as numbers (cpuset(7), list format).
fn cpu_list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::cpu_list;

    #[test]
    fn lists_of_cpus_are_read() {
        assert_eq!(cpu_list("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(cpu_list("7"), [7]);
        assert!(cpu_list("").is_empty());
    }
}
