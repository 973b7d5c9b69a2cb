//! Processes of one name, counted together.
//!
//! Only the groups that use most are shown by name; the others are summed up as `other`. What a counter shows is what
//! the group used *while it was shown*, so that it never runs backwards; what it used in other times is in `other`. A
//! group enters among the first [`ENTER`] and stays until it is beyond the first [`LEAVE`], so that two groups of equal
//! weight do not take turns.

use std::collections::HashMap;

use super::super::cpu::TICKS;
use super::super::families::{Families, Row};
use super::stat::Stat;

/// A group is shown once it is among this many.
pub const ENTER: usize = 20;

/// A group is shown until it is not among this many; more are never shown.
pub const LEAVE: usize = 30;

/// What the groups that are not shown are summed up as.
pub const OTHER: &str = "other";

/// The group of the kernel's own threads.
pub const KERNEL: &str = "kernel";

/// How much one collection weighs in a group's use of the processor; the past weighs the rest.
const RECENT: f64 = 0.2;

/// What the processes of a group are and did in one collection.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    processes: u64,
    threads: u64,
    resident: u64,
    virtual_bytes: u64,
    /// Ticks after boot.
    oldest: Option<u64>,
    spent: Spent,
}

/// What was used between two collections, or counted up over many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spent {
    /// Ticks.
    pub user: u64,
    /// Ticks.
    pub system: u64,
    pub minor_faults: u64,
    pub major_faults: u64,
}

#[derive(Debug, Default)]
struct Group {
    shown: bool,
    /// Ticks a collection, smoothed.
    cpu: f64,
    total: Spent,
    now: Tally,
}

/// All groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: HashMap<String, Group>,
    other: Group,
}

impl Spent {
    pub(super) fn ticks(&self) -> u64 {
        self.user.saturating_add(self.system)
    }

    fn add(&mut self, more: &Self) {
        self.user = self.user.saturating_add(more.user);
        self.system = self.system.saturating_add(more.system);
        self.minor_faults = self.minor_faults.saturating_add(more.minor_faults);
        self.major_faults = self.major_faults.saturating_add(more.major_faults);
    }
}

impl Tally {
    fn join(&mut self, other: &Self) {
        self.processes += other.processes;
        self.threads += other.threads;
        self.resident += other.resident;
        self.virtual_bytes = self.virtual_bytes.saturating_add(other.virtual_bytes);
        self.oldest = self.oldest.into_iter().chain(other.oldest).min();
        self.spent.add(&other.spent);
    }
}

impl Groups {
    /// Starts a collection.
    pub(super) fn clear(&mut self) {
        self.groups.values_mut().for_each(|group| group.now = Tally::default());
    }

    /// Counts one process, and what it used since the last collection.
    pub(super) fn count(&mut self, stat: &Stat<'_>, resident: u64, spent: &Spent) {
        let name = if stat.kernel_thread { KERNEL.into() } else { String::from_utf8_lossy(stat.name) };
        let tally = match self.groups.get_mut(name.as_ref()) {
            Some(group) => &mut group.now,
            None => &mut self.groups.entry(name.into_owned()).or_default().now,
        };
        tally.processes += 1;
        tally.threads += stat.threads;
        tally.resident += resident;
        tally.virtual_bytes = tally.virtual_bytes.saturating_add(stat.virtual_bytes);
        tally.oldest = tally.oldest.into_iter().chain([stat.start]).min();
        tally.spent.add(spent);
    }

    /// Ends a collection: decides who is shown, and books what was used.
    pub(super) fn settle(&mut self) {
        for group in self.groups.values_mut() {
            // Below 2^53 ticks.
            group.cpu += RECENT * (group.now.spent.ticks() as f64 - group.cpu);
        }
        self.groups.retain(|_, group| group.now.processes > 0 || (group.shown && group.cpu > 1e-6));
        self.rank();
        self.other.now = Tally::default();
        for group in self.groups.values_mut() {
            if group.shown {
                group.total.add(&group.now.spent);
            } else {
                self.other.now.join(&group.now);
            }
        }
        self.other.total.add(&self.other.now.spent);
    }

    /// By share of all processor time plus share of all memory.
    fn rank(&mut self) {
        let (cpu, resident) = self
            .groups
            .values()
            .fold((0.0, 0.0), |(cpu, resident), g| (cpu + g.cpu, resident + g.now.resident as f64));
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let score = |g: &Group| share(g.cpu, cpu) + share(g.now.resident as f64, resident);
        let mut order: Vec<(f64, String)> = self
            .groups
            .iter()
            .filter(|(name, _)| *name != OTHER)
            .map(|(name, g)| (score(g), name.clone()))
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        for (rank, (_, name)) in order.into_iter().enumerate() {
            if let Some(group) = self.groups.get_mut(&name) {
                group.shown = rank < if group.shown { LEAVE } else { ENTER };
            }
        }
    }

    /// `boot` is in seconds since the epoch.
    pub(super) fn families(&self, boot: Option<f64>, out: &mut Families) {
        let mut shown: Vec<(&str, &Group)> =
            self.groups.iter().filter(|(_, g)| g.shown).map(|(name, g)| (name.as_str(), g)).collect();
        shown.sort_by_key(|(name, _)| *name);
        shown.push((OTHER, &self.other));
        let seconds = |ticks: u64| ticks as f64 / TICKS;
        let mut cpu = out.counter(
            "namedprocess_namegroup_cpu_seconds_total",
            "Processor seconds of the processes of this name, while the name was shown.",
        );
        for (name, group) in &shown {
            cpu.add(&[("groupname", name), ("mode", "user")], seconds(group.total.user));
            cpu.add(&[("groupname", name), ("mode", "system")], seconds(group.total.system));
        }
        let mut memory =
            out.gauge("namedprocess_namegroup_memory_bytes", "Memory of the processes of this name.");
        for (name, group) in &shown {
            memory.add(&[("groupname", name), ("memtype", "resident")], group.now.resident as f64);
            memory.add(&[("groupname", name), ("memtype", "virtual")], group.now.virtual_bytes as f64);
        }
        let gauges: [Row<Tally>; 2] = [
            ("namedprocess_namegroup_num_procs", "Processes of this name.", |t| t.processes),
            ("namedprocess_namegroup_num_threads", "Threads of the processes of this name.", |t| t.threads),
        ];
        for (name, help, value) in gauges {
            let mut adding = out.gauge(name, help);
            shown.iter().for_each(|(group, g)| adding.add(&[("groupname", group)], value(&g.now) as f64));
        }
        let faults: [Row<Spent>; 2] = [
            ("namedprocess_namegroup_major_page_faults_total", "Page faults that needed I/O.", |s| {
                s.major_faults
            }),
            ("namedprocess_namegroup_minor_page_faults_total", "Page faults that needed none.", |s| {
                s.minor_faults
            }),
        ];
        for (name, help, value) in faults {
            let mut adding = out.counter(name, help);
            shown.iter().for_each(|(group, g)| adding.add(&[("groupname", group)], value(&g.total) as f64));
        }
        let mut oldest = out.gauge(
            "namedprocess_namegroup_oldest_start_time_seconds",
            "When the oldest process of this name started, in seconds since the epoch.",
        );
        for (name, group) in &shown {
            if let (Some(boot), Some(start)) = (boot, group.now.oldest) {
                oldest.add(&[("groupname", name)], boot + seconds(start));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One collection of processes `(name, ticks used, resident bytes)`; the names shown, sorted.
    fn collect(groups: &mut Groups, processes: &[(String, u64, u64)]) -> Vec<String> {
        groups.clear();
        for (name, user, resident) in processes {
            let line = format!("1 ({name}) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0");
            let stat = super::super::stat::parse(line.as_bytes()).unwrap();
            groups.count(&stat, *resident, &Spent { user: *user, ..Spent::default() });
        }
        groups.settle();
        let mut names: Vec<String> =
            groups.groups.iter().filter(|(_, g)| g.shown).map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    /// Ticks shown in all, `other` included.
    fn shown(groups: &Groups) -> u64 {
        groups.groups.values().filter(|g| g.shown).map(|g| g.total.user).sum::<u64>()
            + groups.other.total.user
    }

    #[test]
    fn no_tick_is_lost_or_counted_twice_while_groups_come_and_go() {
        let mut groups = Groups::default();
        let mut used = 0;
        let mut other = 0;
        for round in 0..200_u64 {
            // Sixty groups whose weights turn slowly; an unshown group's counter restarts, which is a reset.
            let processes: Vec<(String, u64, u64)> =
                (0..60).map(|i| (format!("p{i}"), (i * 7 + round / 5) % 60, 1000)).collect();
            let before: HashMap<String, u64> = groups
                .groups
                .iter()
                .filter(|(_, g)| g.shown)
                .map(|(n, g)| (n.clone(), g.total.user))
                .collect();
            let names = collect(&mut groups, &processes);
            used += processes.iter().map(|p| p.1).sum::<u64>();
            assert!(names.len() >= ENTER && names.len() <= LEAVE, "{} shown", names.len());
            for (name, ticks) in before.into_iter().filter(|(name, _)| names.contains(name)) {
                assert!(groups.groups[&name].total.user >= ticks, "{name} ran backwards");
            }
            assert!(groups.other.total.user >= other);
            other = groups.other.total.user;
            let all: u64 = groups.groups.values().map(|g| g.total.user).sum::<u64>() + other;
            assert_eq!(all, used, "what is shown or was shown adds up");
        }
        assert!(shown(&groups) <= used);
    }

    #[test]
    fn equal_groups_do_not_take_turns() {
        let mut groups = Groups::default();
        // Twenty-five of nearly equal weight, the lightest twenty changing places each time.
        let round = |shift: u64| -> Vec<(String, u64, u64)> {
            (0..25).map(|i| (format!("p{i:02}"), 100 + (i + shift) % 25, 1000)).collect()
        };
        let first = collect(&mut groups, &round(0));
        for shift in 1..50 {
            let now = collect(&mut groups, &round(shift));
            assert!(first.iter().all(|name| now.contains(name)), "nobody leaves");
        }
    }

    #[test]
    fn few_groups_are_all_shown_and_those_that_end_are_forgotten() {
        let mut groups = Groups::default();
        let names = collect(&mut groups, &[("a".into(), 5, 1), ("other".into(), 900, 900)]);
        assert_eq!(names, ["a"]);
        assert_eq!(groups.other.total.user, 900);
        for _ in 0..200 {
            collect(&mut groups, &[("b".into(), 1, 1)]);
        }
        assert!(!groups.groups.contains_key("a"));
    }
}
