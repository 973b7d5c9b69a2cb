//! The definition of the command line: help, completions, man pages and documentation are made from it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kernel::{Role, Span};

use crate::ServeArgs;

/// Mainstay runs production from one binary.
#[derive(Parser, Clone, Debug)]
#[command(name = "mainstay", version, max_term_width = 100)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub struct GlobalArgs {
    /// Where Mainstay keeps everything; commands find its unix socket there.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "MAINSTAY_DATA_DIR",
        default_value = "./mainstay-data"
    )]
    pub data_dir: PathBuf,

    /// Ask the server at this URL instead of the one of the data folder.
    #[arg(long, global = true, value_name = "URL", env = "MAINSTAY_URL")]
    pub server: Option<String>,

    /// Prove who you are with this token; not needed on the unix socket.
    #[arg(long, global = true, value_name = "TOKEN", env = "MAINSTAY_TOKEN", hide_env_values = true)]
    pub token: Option<String>,

    /// Trust this certificate authority (PEM), as for a self-signed trial.
    #[arg(long, global = true, value_name = "FILE", env = "MAINSTAY_CA_CERT")]
    pub ca_cert: Option<PathBuf>,

    /// How to print the answer.
    #[arg(short, long, global = true, value_enum, default_value_t)]
    pub output: Output,
}

/// How to print an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// As the API gave it.
    Json,
    /// As the API gave it, as YAML.
    Yaml,
}

/// Why something is done.
#[derive(Args, Clone, Debug, Default)]
pub struct Because {
    /// Why; kept in the ledger. [default: the command itself]
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// What to do.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Watch this machine and serve the console and every API.
    Serve(Box<ServeArgs>),
    /// Show this machine and what Mainstay keeps.
    Status,
    /// Evaluate PromQL and print a table, or with --range a chart.
    Query(QueryArgs),
    /// Make resources as declared in files: all or nothing.
    Apply(ApplyArgs),
    /// Check resource files without changing anything.
    Validate(FilesArgs),
    /// Show what applying files would change. Exits with 1 when something would.
    Diff(FilesArgs),
    /// List resources of a kind, or print one.
    Get(GetArgs),
    /// Print one resource, its last change and its history.
    Describe(NamedArgs),
    /// Remove a resource; refused while something refers to it.
    Delete(DeleteArgs),
    /// Show what became of a resource, also of one that is gone.
    History(NamedArgs),
    /// Explain a kind of resource: its fields and an example.
    Explain(ExplainArgs),
    /// Feature flags.
    #[command(subcommand)]
    Flag(FlagCommand),
    /// Read, verify and move the ledger.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Tokens for programs.
    #[command(subcommand)]
    Token(TokenCommand),
    /// People who may sign in.
    #[command(subcommand)]
    User(UserCommand),
    /// Print completions for a shell.
    Completions {
        /// Which.
        shell: clap_complete::Shell,
    },
    /// Write man pages into a folder, or print the one of a command.
    Man {
        /// Where to; without it the main page is printed.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// `mainstay query`
#[derive(Args, Clone, Debug)]
pub struct QueryArgs {
    /// PromQL.
    pub expr: String,
    /// When, RFC 3339 or Unix seconds. [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Draw the values of this long until then.
    #[arg(long, value_name = "DURATION")]
    pub range: Option<Span>,
    /// Between the values of a range. [default: one per character of the chart]
    #[arg(long, value_name = "DURATION", requires = "range")]
    pub step: Option<Span>,
}

/// Resource files.
#[derive(Args, Clone, Debug)]
pub struct FilesArgs {
    /// Files, folders (every YAML and JSON file in them), or - for standard input.
    #[arg(short, long = "file", value_name = "PATH", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
}

/// `mainstay apply`
#[derive(Args, Clone, Debug)]
pub struct ApplyArgs {
    /// What to apply.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Decide and compare, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Also delete what NAME applied before and these files no longer declare.
    #[arg(long, value_name = "NAME")]
    pub prune_as: Option<String>,
    /// Why.
    #[command(flatten)]
    pub because: Because,
}

/// `mainstay get`
#[derive(Args, Clone, Debug)]
pub struct GetArgs {
    /// The kind, such as flags; every kind without it.
    pub kind: Option<String>,
    /// One of them.
    pub name: Option<String>,
    /// Only those with these labels: team=payments,tier=1.
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub selector: Option<String>,
}

/// A resource by kind and name.
#[derive(Args, Clone, Debug)]
pub struct NamedArgs {
    /// The kind, such as flag.
    pub kind: String,
    /// The name.
    pub name: String,
}

/// `mainstay delete`
#[derive(Args, Clone, Debug)]
pub struct DeleteArgs {
    /// Which.
    #[command(flatten)]
    pub named: NamedArgs,
    /// Only if this is the current version.
    #[arg(long)]
    pub version: Option<u64>,
    /// Decide, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Why.
    #[command(flatten)]
    pub because: Because,
}

/// `mainstay explain`
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// The kind, or a field of it: flag, flag.spec.targeting.
    pub path: Option<String>,
    /// Print the JSON Schema: of the kind, or of all kinds, for editors.
    #[arg(long)]
    pub schema: bool,
}

/// Feature flags.
#[derive(Subcommand, Clone, Debug)]
pub enum FlagCommand {
    /// List flags.
    List {
        /// Only with this text in key, owner or description.
        #[arg(short, long, value_name = "TEXT")]
        query: Option<String>,
        /// As they stand in this environment.
        #[arg(short, long, value_name = "NAME")]
        environment: Option<String>,
    },
    /// Show one flag.
    Show {
        /// Its key.
        key: String,
    },
    /// Change parts of a flag.
    Set(FlagSetArgs),
    /// Enable a flag.
    Enable(SwitchArgs),
    /// Disable a flag: the kill switch.
    Disable(SwitchArgs),
    /// Show what a context would get; not counted as use.
    Evaluate {
        /// The flag's key.
        key: String,
        /// An attribute of the context; may be repeated. JSON where it parses, text otherwise.
        #[arg(short, long = "context", value_name = "NAME=VALUE")]
        context: Vec<String>,
        /// The environment.
        #[arg(short, long, value_name = "NAME")]
        environment: Option<String>,
    },
    /// Show what became of a flag.
    History {
        /// Its key.
        key: String,
    },
    /// Show the flags that should go. Exits with 1 when there are any.
    Debt {
        /// Also look whether the code in this folder mentions each flag.
        #[arg(long, value_name = "DIR")]
        code: Option<PathBuf>,
    },
    /// Take a flagd file into a flag set.
    Import {
        /// The file; - reads standard input.
        file: PathBuf,
        /// The flag set.
        #[arg(long, value_name = "NAME", default_value = "default")]
        set: String,
        /// Decide and compare, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Why.
        #[command(flatten)]
        because: Because,
    },
    /// Print a flag set as a flagd file.
    Export {
        /// The flag set.
        #[arg(long, value_name = "NAME", default_value = "default")]
        set: String,
        /// What holds in this environment.
        #[arg(short, long, value_name = "NAME")]
        environment: Option<String>,
    },
}

/// `mainstay flag set`
#[derive(Args, Clone, Debug)]
pub struct FlagSetArgs {
    /// The flag's key.
    pub key: String,
    /// The default variant; `code` for the default of the caller's code.
    #[arg(long, value_name = "VARIANT")]
    pub default: Option<String>,
    /// The targeting rule as JSON, or @FILE; `none` removes it.
    #[arg(long, value_name = "JSON")]
    pub targeting: Option<String>,
    /// Serve fractions: on=10,off=90. Takes the place of the targeting rule.
    #[arg(long, value_name = "VARIANT=WEIGHT,…", conflicts_with = "targeting")]
    pub rollout: Option<String>,
    /// A variant and its value as JSON; may be repeated and names them all.
    #[arg(long, value_name = "NAME=JSON")]
    pub variant: Vec<String>,
    /// Only in this environment.
    #[arg(short, long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Only if this is the current version.
    #[arg(long)]
    pub version: Option<u64>,
    /// Why.
    #[command(flatten)]
    pub because: Because,
}

/// `mainstay flag enable` and `disable`
#[derive(Args, Clone, Debug)]
pub struct SwitchArgs {
    /// The flag's key.
    pub key: String,
    /// Only in this environment.
    #[arg(short, long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Why.
    #[command(flatten)]
    pub because: Because,
}

/// Read, verify and move the ledger.
#[derive(Subcommand, Clone, Debug)]
pub enum LedgerCommand {
    /// Recompute the hash chain from the first fact on and report any damage.
    Verify {
        /// Read the data folder itself, while no server runs on it.
        #[arg(long)]
        offline: bool,
    },
    /// Print the last facts.
    Tail {
        /// How many.
        #[arg(short = 'n', long, default_value_t = 20)]
        lines: usize,
        /// Go on printing facts as they happen.
        #[arg(short, long)]
        follow: bool,
        /// Only about this, such as Flag/new-checkout.
        #[arg(long, value_name = "KIND/NAME")]
        subject: Option<String>,
        /// Only this chapter's.
        #[arg(long, value_name = "NAME")]
        chapter: Option<String>,
    },
    /// Print every fact, one JSON object a line.
    Export {
        /// Where to; standard output without it.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Fill the empty ledger of a data folder on which no server runs, from an export.
    Import {
        /// An export; - reads standard input.
        file: PathBuf,
    },
}

/// Tokens for programs.
#[derive(Subcommand, Clone, Debug)]
pub enum TokenCommand {
    /// Make a token; it is shown once.
    Create {
        /// Its name. [default: made from the role and the time]
        name: Option<String>,
        /// The most it may do.
        #[arg(long)]
        role: Role,
        /// How long it is good.
        #[arg(long, value_name = "DURATION", default_value = "90d")]
        ttl: Span,
        /// Why.
        #[command(flatten)]
        because: Because,
    },
    /// List tokens.
    List,
    /// End a token and every token made with it.
    Revoke {
        /// Its id or name.
        id: String,
        /// Why.
        #[command(flatten)]
        because: Because,
    },
}

/// People who may sign in.
#[derive(Subcommand, Clone, Debug)]
pub enum UserCommand {
    /// List users.
    List,
    /// Add a user.
    Add {
        /// Their name.
        name: String,
        /// What they may do.
        #[arg(long)]
        role: Role,
        /// Read their password from standard input; without it they sign in by link.
        #[arg(long)]
        password_stdin: bool,
        /// Why.
        #[command(flatten)]
        because: Because,
    },
    /// Set a password, read from standard input.
    Password {
        /// Whose.
        name: String,
        /// Why.
        #[command(flatten)]
        because: Because,
    },
    /// Give a user another role.
    Role {
        /// Whose.
        name: String,
        /// The new one.
        role: Role,
        /// Why.
        #[command(flatten)]
        because: Because,
    },
    /// Let a user sign in no more.
    Disable {
        /// Who.
        name: String,
        /// Why.
        #[command(flatten)]
        because: Because,
    },
    /// Let a user sign in again.
    Enable {
        /// Who.
        name: String,
        /// Why.
        #[command(flatten)]
        because: Because,
    },
    /// Remove a user with their sessions, tokens and links.
    Remove {
        /// Who.
        name: String,
        /// Why.
        #[command(flatten)]
        because: Because,
    },
    /// Make a one-time sign-in link, good for ten minutes.
    Link {
        /// Whom it signs in.
        name: String,
        /// Why.
        #[command(flatten)]
        because: Because,
    },
}

impl LedgerCommand {
    /// True for what is done to a data folder on which no server runs.
    pub const fn is_offline(&self) -> bool {
        matches!(self, Self::Verify { offline: true } | Self::Import { .. })
    }
}

impl Because {
    /// The reason, or the command itself.
    pub(crate) fn or_command(&self) -> String {
        self.reason.clone().filter(|reason| !reason.trim().is_empty()).unwrap_or_else(|| {
            format!("mainstay {}", said(std::env::args().skip(1)).join(" ")).trim_end().to_owned()
        })
    }
}

/// Words of a command that a reason keeps at most.
const MAX_WORDS: usize = 12;

/// The words of a command without what says where to ask and who asks: a token must not land in the ledger.
fn said(arguments: impl Iterator<Item = String>) -> Vec<String> {
    const GLOBAL: [&str; 6] = ["--data-dir", "--server", "--token", "--ca-cert", "--output", "-o"];
    let mut words = Vec::new();
    let mut value_follows = false;
    for word in arguments {
        if std::mem::take(&mut value_follows) {
            continue;
        }
        let name = word.split('=').next().unwrap_or_default();
        if GLOBAL.contains(&name) {
            value_follows = !word.contains('=');
        } else if !word.starts_with("-o") {
            words.push(word);
        }
    }
    words.truncate(MAX_WORDS);
    words
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn a_reason_says_what_was_done_and_holds_no_secret() {
        for (command, expected) in [
            ("--token mst_secret flag disable a", "flag disable a"),
            ("flag --token=mst_secret disable a --server https://x -o json", "flag disable a"),
            ("-ojson --data-dir /d apply -f a.yaml", "apply -f a.yaml"),
        ] {
            assert_eq!(said(command.split(' ').map(str::to_owned)).join(" "), expected, "{command}");
        }
    }
}
