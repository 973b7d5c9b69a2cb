//! `mainstay token` and `mainstay user`.

use std::io::BufRead as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::arguments::{TokenCommand, UserCommand};
use crate::client::Client;
use crate::print::{field, say, show, table, text, time};
use crate::{Exit, Failure, Output};

/// `mainstay token`
pub(crate) fn token(client: &Client, output: Output, command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Create { name, role, ttl, because } => {
            let name = name.unwrap_or_else(|| {
                let since =
                    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                format!("{role}-{}", since.as_secs())
            });
            let body = json!({"name": name, "role": role, "ttl": ttl, "reason": because.or_command()});
            let made = client.post(&["tokens"], &body).json()?;
            show(output, &made, |made| {
                eprintln!(
                    "mainstay: {} {} is good until {} and is shown this once:",
                    text(made, "/role"),
                    text(made, "/name"),
                    time(&text(made, "/expires"))
                );
                format!("{}\n", text(made, "/token"))
            })
        }
        TokenCommand::List => {
            let items = client.list(&["tokens"], &[])?;
            show(output, &json!({ "items": items }), |_| tokens(&items))
        }
        TokenCommand::Revoke { id, because } => {
            let call = client.call(Method::DELETE, &["tokens", &id]);
            call.query("reason", &because.or_command()).json()?;
            say(&format!("{id} is revoked"))
        }
    }
}

fn tokens(items: &[Value]) -> String {
    let row = |t: &Value| {
        vec![
            text(t, "/id"),
            text(t, "/name"),
            text(t, "/role"),
            time(&text(t, "/expires")),
            time(&text(t, "/lastUsed")),
            text(t, "/createdBy"),
        ]
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    table(&["id", "name", "role", "expires", "last used", "made by"], &rows, "no tokens")
}

/// `mainstay user`
pub(crate) fn user(client: &Client, output: Output, command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::List => {
            let items = client.list(&["users"], &[])?;
            show(output, &json!({ "items": items }), |_| users(&items))
        }
        UserCommand::Add { name, role, password_stdin, because } => {
            let password = password_stdin.then(password).transpose()?;
            let body =
                json!({"name": name, "role": role, "password": password, "reason": because.or_command()});
            client.post(&["users"], &body).json()?;
            say(&format!("{name} added as {role}; `mainstay user link {name}` makes a sign-in link"))
        }
        UserCommand::Password { name, because } => {
            let body = json!({"password": password()?, "reason": because.or_command()});
            client.post(&["users", &name, "password"], &body).json()?;
            say(&format!("the password of {name} is set; their other sessions have ended"))
        }
        UserCommand::Role { name, role, because } => {
            let body = json!({"role": role, "reason": because.or_command()});
            client.post(&["users", &name, "role"], &body).json()?;
            say(&format!("{name} is {role} now"))
        }
        UserCommand::Disable { name, because } => {
            client.post(&["users", &name, "disable"], &json!({"reason": because.or_command()})).json()?;
            say(&format!("{name} may not sign in any more"))
        }
        UserCommand::Enable { name, because } => {
            client.post(&["users", &name, "enable"], &json!({"reason": because.or_command()})).json()?;
            say(&format!("{name} may sign in again"))
        }
        UserCommand::Remove { name, because } => {
            let call = client.call(Method::DELETE, &["users", &name]);
            call.query("reason", &because.or_command()).json()?;
            say(&format!("{name} is removed"))
        }
        UserCommand::Link { name, because } => {
            let link =
                client.post(&["links"], &json!({"user": name, "reason": because.or_command()})).json()?;
            show(output, &link, |link| {
                eprintln!("mainstay: signs in {name} once, until {}:", time(&text(link, "/expires")));
                format!("{}\n", text(link, "/url"))
            })
        }
    }
}

fn users(items: &[Value]) -> String {
    let row = |u: &Value| {
        let state = if field(u, "/disabled") == true { "disabled" } else { "" };
        let way = if field(u, "/hasPassword") == true { "password" } else { "link" };
        vec![text(u, "/name"), text(u, "/role"), way.to_owned(), time(&text(u, "/created")), state.to_owned()]
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    table(&["user", "role", "signs in by", "added", ""], &rows, "no users")
}

/// A password from standard input: one line, so that it is neither in the shell's history nor in the process list.
fn password() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|e| Failure::new(Exit::Refused, format!("standard input cannot be read: {e}")))?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        return Err(Failure::new(Exit::Usage, "give the password on standard input, one line"));
    }
    Ok(password)
}
