//! `mainstay serve`: opens the data folder, wires everything, listens, and stops when asked to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use api::listen::{
    Certificates, Connections, Event, Limits, ListenError, ListenPolicy, Listener, PemPair, Serving,
    SocketAccess, TlsError, self_signed,
};
use api::{About, ServerOptions};
use cli::{Exit, Failure, GlobalArgs, ServeArgs};
use kernel::{Span, Timestamp};
use ledger::{LedgerOptions, SqliteLedger};
use operations::{Operations, World};
use outside::webhook::WebhookSender;
use store::{Store, StoreError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{Settings, Tls};
use crate::data::{DataFolder, disk, ledger_failure, write_private};
use crate::timers;

/// The unix socket's name in the data folder.
pub(crate) const SOCKET: &str = "mainstay.sock";
/// For timers to finish their turn after requests have drained; the process ends within five seconds in all.
const TIMERS_STOP: std::time::Duration = std::time::Duration::from_millis(700);

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(global: &GlobalArgs, args: ServeArgs) -> Result<(), Failure> {
    let settings = Settings::settle(args, machine_memory())?;
    let warnings = check_addresses(&settings)?;
    let folder = DataFolder::open(&global.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(std::thread::available_parallelism().map_or(2, usize::from).min(8))
        .thread_keep_alive(std::time::Duration::from_secs(30))
        .build()
        .map_err(|e| Failure::new(Exit::Bug, format!("the runtime cannot be started: {e}")))?;
    let done = runtime.block_on(serve(&settings, &folder, &warnings));
    // Whatever still runs on a blocking thread has had its time; the ledger and the store are closed.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    done
}

/// Refused addresses are found before anything is opened.
fn check_addresses(settings: &Settings) -> Result<Vec<String>, Failure> {
    let tls = settings.tls != Tls::Off;
    let check = |address: &SocketAddr| {
        ListenPolicy::check(*address, tls, settings.insecure_http).map_err(listen_failure)
    };
    let found: Vec<Option<_>> = settings.listen.iter().map(check).collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().map(|warning| warning.to_string()).collect())
}

async fn serve(settings: &Settings, folder: &DataFolder, warnings: &[String]) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(signal_failure)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signal_failure)?;
    let listeners = bind(settings, folder)?;
    let (operations, store) = open(settings, folder)?;
    let link = operations.start_access().map_err(|fault| {
        Failure::new(Exit::Disk, format!("the first administrator was not made: {fault}"))
    })?;
    let about = Arc::new(About {
        started: operations.now(),
        hostname: hostname(),
        data_dir: folder.path().to_path_buf(),
        listen: parking_lot::RwLock::new(
            listeners.iter().map(|listener| reachable(listener, settings)).collect(),
        ),
    });
    greet(&about, link.as_ref().map(|link| about.sign_in_url(link.expose())).as_deref(), warnings);

    let (drain, draining) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let collector = outside::host::HostCollector::new(outside::host::Options::default());
    let notifier = WebhookSender::new(tokio::runtime::Handle::current())
        .map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?;
    timers::start(&mut tasks, &operations, collector, notifier, settings, &draining);
    let router = api::router(ServerOptions {
        operations: Arc::clone(&operations),
        about,
        console: settings.console_dir.clone().map_or(console::Source::Embedded, console::Source::Folder),
        host_names: [settings.host_names.clone(), vec![hostname()]].concat(),
        draining: draining.clone(),
    });
    let connections = Arc::new(Connections::default());
    let serving = Serving { router, draining, limits: Limits::default(), connections, report: Arc::new(say) };
    let mut server = tokio::spawn(api::listen::serve(listeners, serving));
    tokio::select! {
        _ = terminate.recv() => eprintln!("mainstay: SIGTERM, stopping"),
        _ = interrupt.recv() => eprintln!("mainstay: interrupted, stopping"),
        ended = &mut server => {
            return Err(Failure::new(Exit::Bug, format!("the server ended by itself: {ended:?}")));
        }
    }
    drain.send_replace(true);
    match server.await {
        Ok(drained) if drained.cut > 0 => eprintln!("mainstay: {} connections were cut off", drained.cut),
        Ok(_) => {}
        Err(error) => eprintln!("mainstay: the server failed while stopping: {error}"),
    }
    let _ = tokio::time::timeout(TIMERS_STOP, async { while tasks.join_next().await.is_some() {} }).await;
    close(&operations, &store).await;
    Ok(())
}

/// A listener's URL as somebody would type it: "every address" is no address to go to.
fn reachable(listener: &Listener, settings: &Settings) -> String {
    let name = settings.host_names.first().cloned().unwrap_or_else(hostname);
    match listener.local_addr() {
        Some(address) if address.ip().is_unspecified() => {
            listener.url().replace(&address.to_string(), &format!("{name}:{}", address.port()))
        }
        _ => listener.url(),
    }
}

/// Keeps what makes the next start quick. Nothing is lost without it.
async fn close(operations: &Arc<Operations>, store: &Arc<Store>) {
    let (operations, store) = (Arc::clone(operations), Arc::clone(store));
    let closed = tokio::task::spawn_blocking(move || {
        if let Err(error) = operations.save_snapshots() {
            eprintln!("mainstay: snapshots were not kept, the next start will take longer: {error}");
        }
        if let Err(error) = store.close() {
            eprintln!(
                "mainstay: the telemetry store was not closed, the next start will take longer: {error}"
            );
        }
    });
    if let Err(error) = closed.await {
        eprintln!("mainstay: closing failed: {error}");
    }
}

/// Opens the ledger and the store and loads every chapter.
fn open(settings: &Settings, folder: &DataFolder) -> Result<(Arc<Operations>, Arc<Store>), Failure> {
    let place = folder.folder("ledger")?;
    let ledger =
        SqliteLedger::open(&place, &LedgerOptions::default()).map_err(|e| ledger_failure(&place, &e))?;
    let place = folder.folder("telemetry")?;
    let options = store::Options {
        memory_limit: settings.memory_limit,
        retention: Some(settings.retention),
        retention_bytes: settings.retention_bytes,
        ..store::Options::new(&place)
    };
    let (store, recovery) = Store::open(options, now()).map_err(|error| store_failure(&place, &error))?;
    for damage in &recovery.damaged {
        eprintln!(
            "mainstay: telemetry cannot be read: {} at byte {}, {} bytes: {}{}",
            damage.file,
            damage.offset,
            damage.bytes,
            damage.what,
            if damage.acknowledged { "; acknowledged samples may be lost" } else { "" }
        );
    }
    let store = Arc::new(store);
    let world = World::new(now, |bytes| {
        if let Err(error) = getrandom::fill(bytes) {
            // Going on would hand out guessable secrets.
            eprintln!("mainstay: the system gives no random bytes: {error}");
            std::process::abort();
        }
    });
    let own_uid = rustix::process::geteuid().as_raw();
    let operations = Operations::open(
        world,
        Arc::new(ledger),
        Arc::clone(&store) as Arc<dyn store::Telemetry>,
        operations::Settings {
            token_key: folder.token_key()?,
            local_names: local_names(),
            own_uid,
            query_limits: operations::metrics::Limits::default(),
        },
    )
    .map_err(|error| {
        Failure::new(Exit::Damaged, format!("the ledger in {} cannot be read: {error}", place.display()))
    })?;
    Ok((Arc::new(operations), store))
}

// === listening ===

fn bind(settings: &Settings, folder: &DataFolder) -> Result<Vec<Listener>, Failure> {
    let certificates = match &settings.tls {
        Tls::Off => None,
        Tls::Files { cert, key } => Some(Certificates::from_files(cert, key).map_err(|e| tls_failure(&e))?),
        Tls::SelfSigned => {
            let pair = trial_certificate(folder, settings)?;
            Some(Certificates::from_pem(&pair).map_err(|e| tls_failure(&e))?)
        }
    };
    let mut listeners = Vec::with_capacity(settings.listen.len() + 1);
    for address in &settings.listen {
        let listener = match &certificates {
            Some(certificates) => Listener::tls(*address, Arc::clone(certificates)),
            None => Listener::tcp(*address),
        };
        listeners.push(listener.map_err(listen_failure)?);
    }
    let socket = folder.path().join(SOCKET);
    listeners.push(Listener::unix(&socket, SocketAccess::Owner).map_err(listen_failure)?);
    Ok(listeners)
}

/// The certificate of a trial: kept, so that a browser's exception lasts.
fn trial_certificate(folder: &DataFolder, settings: &Settings) -> Result<PemPair, Failure> {
    let place = folder.folder("tls")?;
    let (cert, key) = (place.join("self-signed.pem"), place.join("self-signed.key"));
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| disk(path, "read", &e));
    if cert.exists() && key.exists() {
        return Ok(PemPair { certificate: read(&cert)?, key: read(&key)? });
    }
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), hostname()];
    names.extend(settings.host_names.iter().cloned());
    names.extend(settings.listen.iter().filter(|a| !a.ip().is_unspecified()).map(|a| a.ip().to_string()));
    names.sort();
    names.dedup();
    let pair = self_signed(&names).map_err(|e| tls_failure(&e))?;
    write_private(&key, pair.key.as_bytes())?;
    write_private(&cert, pair.certificate.as_bytes())?;
    Ok(pair)
}

fn say(event: Event) {
    match event {
        Event::CertificateReloaded => eprintln!("mainstay: the new certificate is served"),
        Event::CertificateRefused(error) => eprintln!("mainstay: the certificate before stays: {error}"),
        Event::AcceptFailed { place, error } => eprintln!("mainstay: {place}: no more connections: {error}"),
        Event::Full { place, limit } => {
            eprintln!("mainstay: {place} has all {limit} connections it may have")
        }
    }
}

/// What a new user reads.
fn greet(about: &About, link: Option<&str>, warnings: &[String]) {
    let listen = about.listen.read();
    let mut text = format!("Mainstay {} watches {}.\n\n", env!("CARGO_PKG_VERSION"), about.hostname);
    for (i, url) in listen.iter().filter(|url| url.starts_with("http")).enumerate() {
        let label = if i == 0 { "Console" } else { "" };
        text.push_str(&format!("  {label:<9}{url}\n"));
    }
    text.push_str(&format!("  {:<9}{}\n", "Data", about.data_dir.display()));
    if let Some(link) = link {
        text.push_str(&format!("\n  Sign in as admin (once, within 10 minutes):\n  {link}\n"));
        text.push_str("\n  A new link: mainstay user link admin\n");
    }
    for warning in warnings {
        text.push_str(&format!("\n  Warning: {warning}\n"));
    }
    // Nobody may be reading; that is no reason not to serve.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{text}\n").as_bytes());
    let _ = std::io::Write::flush(&mut std::io::stdout());
}

// === the machine ===

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH + Span::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

fn hostname() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// Bytes of memory this process may use: the machine's, or less where a control group says so.
fn machine_memory() -> u64 {
    let info = rustix::system::sysinfo();
    let machine = info.totalram.saturating_mul(u64::from(info.mem_unit));
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = group.and_then(|text| text.trim().parse::<u64>().ok());
    limit.map_or(machine, |limit| limit.min(machine))
}

/// User names by id, from the password file.
fn local_names() -> BTreeMap<u32, String> {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((fields.nth(1)?.parse().ok()?, name))
    };
    // The first name of an id is the one that tools show.
    text.lines().rev().filter_map(entry).collect()
}

// === failures ===

fn listen_failure(error: ListenError) -> Failure {
    let exit = if matches!(error, ListenError::Cleartext(_)) { Exit::Configuration } else { Exit::Address };
    Failure::new(exit, error.to_string())
}

fn tls_failure(error: &TlsError) -> Failure {
    Failure::new(Exit::Configuration, error.to_string())
}

fn signal_failure(error: std::io::Error) -> Failure {
    Failure::new(Exit::Bug, format!("signals cannot be received: {error}"))
}

fn store_failure(place: &Path, error: &StoreError) -> Failure {
    let exit = match error {
        StoreError::Locked(_) => Exit::Locked,
        StoreError::Damaged { .. } => Exit::Damaged,
        StoreError::Full(_)
        | StoreError::OverMemory { .. }
        | StoreError::TooLarge(_)
        | StoreError::Closed
        | StoreError::Io(_) => Exit::Disk,
    };
    Failure::new(exit, format!("the telemetry store in {} cannot be opened: {error}", place.display()))
}
