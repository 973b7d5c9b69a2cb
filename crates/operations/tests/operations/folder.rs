//! A folder of resources is kept applied; what people change by hand is reported and left.

use std::fs;

use flags::FlagState;
use kernel::Span;
use operations::folder::FolderStatus;
use operations::resources::ListFilter;
use tempfile::TempDir;

use crate::house::{House, ada, flag, webhook};

struct Kept {
    house: House,
    folder: TempDir,
}

impl Kept {
    fn new(files: &[(&str, &str)]) -> Self {
        let kept = Self { house: House::new(), folder: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            kept.write(name, text);
        }
        kept
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    /// One turn, and what it found.
    fn turn(&self) -> FolderStatus {
        self.house.clock.turn(Span::from_secs(5));
        self.house.operations().reconcile_folder(self.folder.path());
        self.house.operations().status(&ada()).unwrap().resources
    }

    fn keys(&self) -> Vec<String> {
        let all = self.house.operations().resources(&ada(), &ListFilter::default()).unwrap();
        all.iter().map(|resource| resource.key().to_string()).collect()
    }

    fn state(&self, name: &str) -> FlagState {
        self.house.operations().flag(&ada(), name).unwrap().0.spec.state
    }

    fn switch_off(&self, name: &str) {
        self.house.operations().switch_flag(&ada(), name, FlagState::Disabled, None).unwrap();
    }
}

#[test]
fn files_are_applied_changed_and_removed_again() {
    let kept = Kept::new(&[("a.yaml", &flag("a")), ("sub/w.yml", &webhook("w", "")), (".git/x.yaml", "{")]);
    let status = kept.turn();
    assert_eq!((status.error, status.drift), (None, vec![]));
    assert_eq!(status.last_applied, Some(kept.house.clock.now()));
    assert_eq!(kept.keys(), ["Flag/a", "Webhook/w"]);
    let facts = kept.house.facts();
    assert_eq!(facts.len(), 2);
    assert!(facts.iter().all(|fact| fact.actor.to_string() == "system:reconciler/resources"));
    assert_eq!(facts[0].change, facts[1].change, "one turn is one change");
    kept.turn();
    assert_eq!(kept.house.facts().len(), 2, "a turn without news writes nothing");

    kept.write("a.yaml", &flag("a").replace("defaultVariant: \"on\"", "defaultVariant: \"off\""));
    kept.turn();
    assert_eq!(kept.house.facts().len(), 3);
    kept.remove("sub/w.yml");
    kept.turn();
    assert_eq!(kept.keys(), ["Flag/a"]);
    kept.write("sub/w.yml", &webhook("w", ""));
    kept.turn();
    assert_eq!(kept.keys(), ["Flag/a", "Webhook/w"], "a file that comes back is applied again");
}

#[test]
fn what_was_changed_by_hand_is_drift_until_the_file_changes_too() {
    let kept = Kept::new(&[("a.yaml", &flag("a")), ("b.yaml", &flag("b"))]);
    kept.turn();
    kept.switch_off("a");
    let status = kept.turn();
    assert_eq!(status.drift.len(), 1);
    assert_eq!(status.drift[0].key, "Flag/a");
    assert!(status.drift[0].what.contains("+  state: DISABLED"), "{}", status.drift[0].what);
    assert_eq!(kept.state("a"), FlagState::Disabled);

    // Another file's change leaves it alone as well.
    kept.write("b.yaml", &flag("b").replace("defaultVariant: \"on\"", "defaultVariant: \"off\""));
    assert_eq!(kept.turn().drift.len(), 1);
    assert_eq!(kept.state("a"), FlagState::Disabled);

    let enabled = flag("a").replace("spec:\n", "spec:\n  description: mended\n  state: ENABLED\n");
    kept.write("a.yaml", &enabled);
    assert_eq!(kept.turn().drift, []);
    assert_eq!(kept.state("a"), FlagState::Enabled);
}

#[test]
fn what_was_removed_or_applied_over_by_hand_stays_so_until_the_file_changes() {
    let kept = Kept::new(&[("a.yaml", &flag("a")), ("w.yaml", &webhook("w", ""))]);
    kept.turn();
    let operations = kept.house.operations();
    operations.delete(&ada().because("it pages us"), "Webhook", "w", None, false).unwrap();
    kept.house.apply(&flag("a").replace("defaultVariant: \"on\"", "defaultVariant: \"off\"")).unwrap();
    for _ in 0..3 {
        let status = kept.turn();
        let keys: Vec<&str> = status.drift.iter().map(|drift| drift.key.as_str()).collect();
        assert_eq!((keys, &status.error), (vec!["Flag/a", "Webhook/w"], &None));
        assert!(status.drift[0].what.contains("+  defaultVariant: \"off\""), "{}", status.drift[0].what);
        assert!(
            status.drift[1].what.starts_with("removed by user:ada at 2026-03-01T12:"),
            "{:?}",
            status.drift[1]
        );
        assert!(status.drift[1].what.ends_with(": it pages us"), "{:?}", status.drift[1]);
    }
    assert_eq!(kept.keys(), ["Flag/a"]);
    kept.write("w.yaml", &webhook("w", "  description: quieter now\n"));
    let keys: Vec<String> = kept.turn().drift.into_iter().map(|drift| drift.key).collect();
    assert_eq!((keys, kept.keys()), (vec!["Flag/a".to_owned()], vec!["Flag/a".into(), "Webhook/w".into()]));
}

#[test]
fn a_broken_file_changes_nothing_at_all_until_it_is_mended() {
    let kept = Kept::new(&[("a.yaml", &flag("a")), ("w.yaml", &webhook("w", ""))]);
    kept.turn();
    let before = kept.house.facts().len();
    kept.write("a.yaml", &flag("a").replace("defaultVariant: \"on\"", "defaultVariant: \"off\""));
    kept.remove("w.yaml");
    for (broken, expected) in [
        ("kind: [", "b.yaml:1"),
        (flag("b").replace("kind: Flag", "kind: Flga").as_str(), "b.yaml:2:7"),
        (flag("b").replace("defaultVariant: \"on\"", "defaultVariant: nope").as_str(), "nope"),
        (flag("a").as_str(), "declared twice"),
    ] {
        kept.write("b.yaml", broken);
        let error = kept.turn().error.unwrap();
        assert!(error.contains(expected), "{error}");
        assert_eq!(kept.house.facts().len(), before, "{broken}");
    }
    kept.remove("b.yaml");
    let status = kept.turn();
    assert_eq!((status.error, kept.keys()), (None, vec!["Flag/a".to_owned()]));
}

#[test]
fn a_new_process_goes_on_where_the_old_one_ended() {
    let mut kept = Kept::new(&[("a.yaml", &flag("a"))]);
    kept.turn();
    kept.switch_off("a");
    kept.house.restart();
    let before = kept.house.facts().len();
    let status = kept.turn();
    assert_eq!((status.drift.len(), status.last_applied), (1, None));
    assert_eq!(kept.house.facts().len(), before);
    let gone = kept.folder.path().join("gone");
    kept.house.operations().reconcile_folder(&gone);
    let error = kept.house.operations().status(&ada()).unwrap().resources.error.unwrap();
    assert!(error.contains("gone"), "{error}");
    assert_eq!(kept.keys(), ["Flag/a"], "a folder that is not there removes nothing");
}
