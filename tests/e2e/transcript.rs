//! The command line as its user sees it: the transcripts of tests/cases/cli, and the examples of the documentation.

use std::path::{Path, PathBuf};

use tests::{Mainstay, Step, binary, play, read_transcript, transcripts_of_page, workspace};

/// Every file below a folder with that ending, in order.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|has| has == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Plays each file's steps in a folder and against a server of its own.
fn check(files: &[PathBuf], read: fn(&str) -> Vec<Step>) {
    let mut wrong = Vec::new();
    let mut played = 0;
    for path in files {
        let steps = read(&std::fs::read_to_string(path).unwrap());
        if steps.is_empty() {
            continue;
        }
        played += 1;
        let server = Mainstay::start(&["--collect-interval", "1s"]);
        let folder = tempfile::tempdir().unwrap();
        let name = path.strip_prefix(workspace()).unwrap().display();
        wrong.extend(play(&server, folder.path(), &steps).into_iter().map(|found| format!("{name} {found}")));
    }
    assert!(played > 0, "nothing was played of {files:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn transcripts_come_out_as_written() {
    check(&files(&workspace().join("tests/cases/cli"), "txt"), |text| read_transcript(text, 1));
}

#[test]
fn examples_of_the_documentation_come_out_as_written() {
    let mut pages = files(&workspace().join("docs"), "md");
    pages.push(workspace().join("README.md"));
    pages.retain(|page| page.exists());
    check(&pages, transcripts_of_page);
}

/// The checker itself: it must tell right from wrong.
#[test]
fn a_transcript_that_lies_is_found() {
    let server = Mainstay::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str, expect: usize| {
        let found = play(&server, folder.path(), &read_transcript(text, 1));
        assert_eq!(found.len(), expect, "{text}: {found:?}");
    };
    assert!(binary().is_file());
    check("$ printf 'a\\nb\\n'\na\nb\n", 0);
    check("$ printf 'a\\nb\\n'\na\n", 1);
    check("$ printf 'a\\nb\\nc\\n'\na\n…\nc\n", 0);
    check("$ echo one two three\none … three\n", 0);
    check("$ echo one two three\none … four\n", 1);
    check("$ echo x; exit 3\nx\n[exit 3]\n", 0);
    check("$ echo x; exit 3\nx\n", 1);
    check("--- a.txt\nhello\n---\n$ cat a.txt\nhello\n", 0);
    check("# why\n$ cat a.txt \\\n  a.txt\nhello\nhello\n", 0);
}
