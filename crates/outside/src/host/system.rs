//! What the machine is (name, kernel, distribution), and the limits of its kernel (open files, entropy).

use std::collections::BTreeMap;

use kernel::Timestamp;

use super::families::Families;
use super::files::{Files, Malformed, Trouble};

/// What `uname` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Uname {
    pub nodename: String,
    pub release: String,
    sysname: String,
    version: String,
    machine: String,
    domainname: String,
}

pub(super) fn read_uname(files: &Files) -> Result<Uname, Trouble> {
    let one = |name: &str| -> Result<String, Trouble> {
        Ok(files.read(&format!("proc/sys/kernel/{name}"))?.trim_end_matches('\n').to_owned())
    };
    let machine = || rustix::system::uname().machine().to_string_lossy().into_owned();
    Ok(Uname {
        nodename: one("hostname")?,
        release: one("osrelease")?,
        sysname: one("ostype")?,
        version: one("version")?,
        // Kernels from 6.1 on say it in a file.
        machine: one("arch").unwrap_or_else(|_| machine()),
        domainname: one("domainname")?,
    })
}

pub(super) fn uname_families(uname: &Uname, out: &mut Families) {
    out.gauge("node_uname_info", "What the kernel says it is.").add(
        &[
            ("domainname", &uname.domainname),
            ("machine", &uname.machine),
            ("nodename", &uname.nodename),
            ("release", &uname.release),
            ("sysname", &uname.sysname),
            ("version", &uname.version),
        ],
        1.0,
    );
}

/// The pairs of `os-release`.
pub(super) type Release = BTreeMap<String, String>;

pub(super) fn read_release(files: &Files) -> Result<Release, Trouble> {
    match files.parse("etc/os-release", parse_release) {
        Err(trouble) if trouble.is_absence() => files.parse("usr/lib/os-release", parse_release),
        other => other,
    }
}

/// `KEY=value` lines; values may be quoted as in a shell.
pub(super) fn parse_release(text: &str) -> Result<Release, Malformed> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| {
        let (key, value) =
            line.split_once('=').ok_or_else(|| Malformed::new(format!("`{line}` is not KEY=value")))?;
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let inner = quote.and_then(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value);
        let mut text = String::with_capacity(inner.len());
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' if quote != Some('\'') => text.extend(chars.next()),
                c => text.push(c),
            }
        }
        Ok((key.to_owned(), text))
    });
    pairs.collect()
}

pub(super) fn release_families(release: &Release, out: &mut Families) {
    let get = |key: &str| release.get(key).map_or("", String::as_str);
    out.gauge("node_os_info", "What the distribution says it is.").add(
        &[
            ("build_id", get("BUILD_ID")),
            ("id", get("ID")),
            ("id_like", get("ID_LIKE")),
            ("image_id", get("IMAGE_ID")),
            ("image_version", get("IMAGE_VERSION")),
            ("name", get("NAME")),
            ("pretty_name", get("PRETTY_NAME")),
            ("variant", get("VARIANT")),
            ("variant_id", get("VARIANT_ID")),
            ("version", get("VERSION")),
            ("version_codename", get("VERSION_CODENAME")),
            ("version_id", get("VERSION_ID")),
        ],
        1.0,
    );
    // The number starts the text: "12", "24.04 LTS".
    let version = get("VERSION_ID");
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    if let Some(number) = version.get(..end).and_then(|number| number.parse().ok()) {
        let labels = [("id", get("ID")), ("id_like", get("ID_LIKE")), ("name", get("NAME"))];
        out.gauge("node_os_version", "The distribution's version as a number.").add(&labels, number);
    }
}

/// Open file handles, and how many may be.
pub(super) fn read_handles(files: &Files) -> Result<(f64, f64), Trouble> {
    files.parse("proc/sys/fs/file-nr", parse_handles)
}

/// `allocated, free, most`; `free` has been 0 since Linux 2.6.
pub(super) fn parse_handles(text: &str) -> Result<(f64, f64), Malformed> {
    let mut words = text.split_ascii_whitespace().map(str::parse);
    match (words.next(), words.next(), words.next()) {
        (Some(Ok(allocated)), Some(Ok::<f64, _>(_)), Some(Ok(most))) => Ok((allocated, most)),
        _ => Err(Malformed::new("it does not hold three numbers")),
    }
}

pub(super) fn handle_families((allocated, most): &(f64, f64), out: &mut Families) {
    out.value("node_filefd_allocated", "File handles in use.", *allocated);
    out.value("node_filefd_maximum", "Most file handles there may be.", *most);
}

/// Bits of entropy, and how many the pool holds.
pub(super) fn read_entropy(files: &Files) -> Result<(f64, f64), Trouble> {
    let number = |text: &str| text.trim().parse().map_err(|_| Malformed::new("it is not a number"));
    let available = files.parse("proc/sys/kernel/random/entropy_avail", number)?;
    Ok((available, files.parse("proc/sys/kernel/random/poolsize", number)?))
}

pub(super) fn entropy_families((available, pool): &(f64, f64), out: &mut Families) {
    out.value("node_entropy_available_bits", "Bits of entropy available.", *available);
    out.value("node_entropy_pool_size_bits", "Bits of entropy the pool holds.", *pool);
}

pub(super) fn time_families(now: Timestamp, out: &mut Families) {
    // To the microsecond until the year 2255.
    out.value(
        "node_time_seconds",
        "The machine's clock, in seconds since the epoch.",
        now.as_nanos() as f64 / 1e9,
    );
}
