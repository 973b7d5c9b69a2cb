//! Every command of the command line, as every role: none may lack its line in `tests/cases/access/commands.txt`, and
//! none may let a lesser caller through.

use std::path::Path;
use std::process::Command;

use tests::{Mainstay, Ran, binary, workspace};

/// Exit code of a caller who is not known, or may not.
const DENIED: Option<i32> = Some(4);

const ROLES: [&str; 4] = ["viewer", "responder", "operator", "admin"];

const FLAG: &str = "apiVersion: mainstay/v1\nkind: Flag\nmetadata: {name: a}\nspec:\n  state: ENABLED\n  \
    variants: {\"on\": true, \"off\": false}\n  defaultVariant: \"off\"\n";

const FLAGD: &str =
    r#"{"flags": {"b": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"}}}"#;

/// One line of the table.
struct Line {
    least: String,
    command: String,
}

fn table() -> Vec<Line> {
    let text = std::fs::read_to_string(workspace().join("tests/cases/access/commands.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (least, command) = line.split_once(": ").unwrap_or_else(|| panic!("no role: {line}"));
            assert!(least == "local" || ROLES.contains(&least), "{least} is no role: {line}");
            Line { least: least.to_owned(), command: command.to_owned() }
        })
        .collect()
}

/// The commands that have no further ones below them, as the program itself lists them.
fn commands(above: &[&str]) -> Vec<String> {
    let help = Ran::alone(&[above, &["--help"]].concat()).ok();
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names: Vec<&str> = listed
        .take_while(|line| line.starts_with(' '))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    if names.is_empty() {
        return vec![above.join(" ")];
    }
    names.into_iter().flat_map(|name| commands(&[above, &[name]].concat())).collect()
}

#[test]
fn every_command_has_a_line_in_the_table() {
    let table = table();
    let found = commands(&[]);
    assert!(found.len() > 30, "{found:?}");
    for command in found {
        let named = |line: &&Line| {
            let typed = line.command.split("mainstay ").last().unwrap();
            typed == command || typed.starts_with(&format!("{command} "))
        };
        assert_eq!(table.iter().filter(named).count(), 1, "lines for `mainstay {command}` in commands.txt");
    }
}

/// Gives a command over TCP, as somebody with that token or as nobody.
fn give(server: &Mainstay, folder: &Path, command: &str, token: Option<&str>) -> Ran {
    let script =
        format!("mainstay() {{ \"$MAINSTAY_BINARY\" \"$@\" --server \"$SERVER\" $TOKEN; }}\n{command}");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).current_dir(folder);
    shell.env("MAINSTAY_BINARY", binary()).env("SERVER", server.base());
    shell.env("TOKEN", token.map(|token| format!("--token {token}")).unwrap_or_default());
    Ran::of(&mut shell)
}

#[tokio::test]
async fn no_command_lets_a_lesser_caller_through() {
    let server = Mainstay::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("flag.yaml"), FLAG).unwrap();
    std::fs::write(folder.path().join("flagd.json"), FLAGD).unwrap();
    server.run_in(folder.path(), &["apply", "-f", "flag.yaml", "--reason", "to have one"]).ok();
    let mut tokens = Vec::new();
    for role in ROLES {
        tokens.push((role, server.http_as(role).await.token().unwrap().to_owned()));
    }
    let mut wrong = Vec::new();
    for line in table() {
        let Line { least, command } = &line;
        let rank = ROLES.iter().position(|role| role == least);
        let nobody = give(&server, folder.path(), command, None);
        if (nobody.code == DENIED) == rank.is_none() {
            wrong.push(format!("{command}: nobody is answered {nobody:?}"));
        }
        let Some(rank) = rank else { continue };
        for (place, (role, token)) in tokens.iter().enumerate() {
            let ran = give(&server, folder.path(), command, Some(token));
            if (ran.code == DENIED) != (place < rank) {
                wrong.push(format!("{command} ({least}): {role} is answered {ran:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
