//! Settings: the command line over the configuration file over the defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cli::{Exit, Failure, ServeArgs};
use kernel::Span;
use serde::Deserialize;

/// Where Mainstay listens unless told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:7070";
/// How often the machine is measured unless told otherwise.
const DEFAULT_INTERVAL: Span = Span::from_secs(5);
/// Shortest interval accepted: below it, measuring would cost more than it tells.
const MIN_INTERVAL: Span = Span::from_secs(1);
/// How long samples are kept unless told otherwise.
const DEFAULT_RETENTION: Span = Span::from_days(30);

/// The configuration file. Every field is that of the flag of the same name.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct File {
    listen: Vec<SocketAddr>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls_self_signed: bool,
    insecure_http: bool,
    host_names: Vec<String>,
    resources: Option<PathBuf>,
    collect_interval: Option<Span>,
    retention: Option<Span>,
    retention_bytes: Option<u64>,
    memory_limit: Option<u64>,
}

/// What `serve` does, settled.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) tls: Tls,
    pub(crate) insecure_http: bool,
    pub(crate) host_names: Vec<String>,
    pub(crate) resources: Option<PathBuf>,
    pub(crate) console_dir: Option<PathBuf>,
    pub(crate) collect_interval: Span,
    pub(crate) retention: Span,
    pub(crate) retention_bytes: Option<u64>,
    pub(crate) memory_limit: u64,
}

/// How the TCP listeners are secured.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Off,
    SelfSigned,
    Files { cert: PathBuf, key: PathBuf },
}

impl Settings {
    /// Reads the file, if one is named, and settles every setting. `machine_memory` is in bytes.
    pub(crate) fn settle(args: ServeArgs, machine_memory: u64) -> Result<Self, Failure> {
        let file = match &args.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let tls = tls(&args, &file)?;
        let listen = if args.listen.is_empty() { file.listen } else { args.listen };
        let default_listen = || DEFAULT_LISTEN.parse().map(|address| vec![address]);
        let listen = if listen.is_empty() {
            default_listen().map_err(|e| Failure::new(Exit::Bug, format!("{DEFAULT_LISTEN}: {e}")))?
        } else {
            listen
        };
        let collect_interval = args.collect_interval.or(file.collect_interval).unwrap_or(DEFAULT_INTERVAL);
        if collect_interval < MIN_INTERVAL {
            return Err(wrong(format!(
                "a collect interval of {collect_interval} is shorter than the least, {MIN_INTERVAL}"
            )));
        }
        Ok(Self {
            listen,
            tls,
            insecure_http: args.insecure_http || file.insecure_http,
            host_names: [file.host_names, args.host_name].concat(),
            resources: args.resources.or(file.resources),
            console_dir: args.console_dir,
            collect_interval,
            retention: args.retention.or(file.retention).unwrap_or(DEFAULT_RETENTION),
            retention_bytes: args.retention_bytes.or(file.retention_bytes),
            memory_limit: args.memory_limit.or(file.memory_limit).unwrap_or(machine_memory / 2),
        })
    }
}

fn tls(args: &ServeArgs, file: &File) -> Result<Tls, Failure> {
    let cert = args.tls_cert.clone().or_else(|| file.tls_cert.clone());
    let key = args.tls_key.clone().or_else(|| file.tls_key.clone());
    match (cert, key, args.tls_self_signed || file.tls_self_signed) {
        (Some(cert), Some(key), false) => Ok(Tls::Files { cert, key }),
        (Some(_), Some(_), true) => Err(wrong("tlsCert and tlsSelfSigned exclude each other: keep one")),
        (None, None, true) => Ok(Tls::SelfSigned),
        (None, None, false) => Ok(Tls::Off),
        (Some(_), None, _) => {
            Err(wrong("tlsCert is given without tlsKey: name the certificate's private key"))
        }
        (None, Some(_), _) => Err(wrong("tlsKey is given without tlsCert: name the certificate of the key")),
    }
}

fn read(path: &Path) -> Result<File, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|e| wrong(format!("{name} cannot be read: {e}\n  name a readable file with --config")))?;
    let documents = wire::document::parse(&name, &text).map_err(|problems| found(&name, &problems))?;
    match documents.as_slice() {
        [] => Ok(File::default()),
        [one] => one.decode::<File>().map_err(|problems| found(&name, &problems)),
        _ => Err(wrong(format!("{name} holds {} documents: keep one", documents.len()))),
    }
}

fn found(name: &str, problems: &[kernel::Problem]) -> Failure {
    let list: Vec<String> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    wrong(format!("the configuration {name} is wrong:{}", list.concat()))
}

fn wrong(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Configuration, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(text: &str, args: ServeArgs) -> Result<Settings, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mainstay.yaml");
        std::fs::write(&path, text).unwrap();
        Settings::settle(ServeArgs { config: Some(path), ..args }, 1 << 30)
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_the_file_over_the_defaults() {
        let file = "listen: ['127.0.0.1:9000']\ncollectInterval: 15s\n";
        let args = ServeArgs { collect_interval: Some(Span::from_secs(2)), ..ServeArgs::default() };
        let settings = settle(file, args).unwrap();
        assert_eq!(settings.listen, ["127.0.0.1:9000".parse().unwrap()]);
        assert_eq!(settings.collect_interval, Span::from_secs(2));
        assert_eq!((settings.retention, settings.memory_limit), (DEFAULT_RETENTION, 1 << 29));
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_place() {
        for (file, expected) in [
            ("listen: ['127.0.0.1:9000']\nretension: 3d\n", "mainstay.yaml:2:1"),
            ("collectInterval: fast\n", "mainstay.yaml:1:18"),
            ("collectInterval: 10ms\n", "shorter than the least"),
            ("tlsCert: a.pem\n", "tlsKey"),
            ("a: [", "mainstay.yaml:"),
        ] {
            let failure = settle(file, ServeArgs::default()).unwrap_err();
            assert_eq!(failure.exit, Exit::Configuration);
            assert!(failure.message.contains(expected), "{file}: {}", failure.message);
        }
    }
}
