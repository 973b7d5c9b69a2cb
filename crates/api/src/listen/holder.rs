//! Which process listens on a port, read from Linux' `/proc`, so that "address in use" can name it. Best effort: the
//! processes of other users show their sockets only to root.
//!
//! Source: proc(5), `/proc/net/tcp` and `/proc/pid/fd`.

use std::fmt;
use std::path::Path;

/// The state of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// A process that holds a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pid: u32,
    name: String,
}

impl Holder {
    /// The process that listens on `port`, on whatever address; `None` when it cannot be found out.
    pub fn of_port(port: u16) -> Option<Self> {
        let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|table| std::fs::read_to_string(table).ok())
            .flat_map(|table| listening(&table, port))
            .collect();
        let processes = std::fs::read_dir("/proc").ok()?;
        processes.flatten().find_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            holds(&entry.path(), &inodes).then(|| {
                let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                Self { pid, name: name.trim().to_owned() }
            })
        })
    }
}

impl fmt::Display for Holder {
    /// `nginx (process 812)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "a process" } else { &self.name };
        write!(f, "{name} (process {})", self.pid)
    }
}

/// The inodes of the sockets of `table` that listen on `port`.
fn listening(table: &str, port: u16) -> Vec<String> {
    let wanted = format!(":{port:04X}");
    let rows = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (columns.get(1)?, columns.get(3)?, columns.get(9)?);
        (local.ends_with(&wanted) && *state == LISTENING).then(|| (*inode).to_owned())
    });
    rows.collect()
}

fn holds(process: &Path, inodes: &[String]) -> bool {
    let Ok(open) = std::fs::read_dir(process.join("fd")) else { return false };
    open.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|target| {
        let target = target.to_string_lossy();
        let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        inode.is_some_and(|inode| inodes.iter().any(|wanted| wanted == inode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_sockets_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1B9E 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0\n\
            1: 0100007F:1B9E 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0\n\
            2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0\n\
            3: short line\n";
        assert_eq!(listening(table, 7070), ["4711"]);
        assert_eq!(listening(table, 22), ["4713"]);
        assert!(listening(table, 80).is_empty());
    }

    #[test]
    fn our_own_socket_is_found() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = Holder::of_port(socket.local_addr().unwrap().port()).unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(holder.to_string().ends_with(&format!("(process {})", std::process::id())), "{holder}");
    }
}
