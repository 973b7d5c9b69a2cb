//! The arguments of `mainstay serve`. The binary runs it; the definition stands here with the other commands, so that
//! help, completions, man pages and documentation come from one place.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use kernel::Span;

/// Watch this machine and serve the console and every API.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// Settings from a YAML file; what the command line says wins over it.
    #[arg(long, value_name = "FILE", env = "MAINSTAY_CONFIG")]
    pub config: Option<PathBuf>,

    /// Listen here; may be given several times. Port 0 takes a free one. [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<SocketAddr>,

    /// Serve TLS with this certificate chain (PEM); reloaded when the file changes.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Serve TLS with a certificate made on the spot, for a trial.
    #[arg(long, conflicts_with = "tls_cert")]
    pub tls_self_signed: bool,

    /// Listen beyond loopback without TLS. Passwords and tokens then cross the network readable by anyone on the way.
    #[arg(long)]
    pub insecure_http: bool,

    /// A name browsers reach this server by, beside loopback; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub host_name: Vec<String>,

    /// Keep the resources of this folder (YAML and JSON files) applied, and report drift.
    #[arg(long, value_name = "DIR")]
    pub resources: Option<PathBuf>,

    /// Serve the console's files from this folder instead of those in the binary, while developing it.
    #[arg(long, value_name = "DIR")]
    pub console_dir: Option<PathBuf>,

    /// How often this machine is measured. [default: 5s]
    #[arg(long, value_name = "DURATION")]
    pub collect_interval: Option<Span>,

    /// How long samples are kept. [default: 30d]
    #[arg(long, value_name = "DURATION")]
    pub retention: Option<Span>,

    /// How many bytes of blocks are kept at most; the oldest go first. [default: no limit]
    #[arg(long, value_name = "BYTES")]
    pub retention_bytes: Option<u64>,

    /// Memory for telemetry, in bytes. [default: half of the machine's]
    #[arg(long, value_name = "BYTES")]
    pub memory_limit: Option<u64>,
}
