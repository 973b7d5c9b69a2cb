//! The console's files: embedded in the binary, or read from a folder while someone works on them.
//!
//! Not here: who may see them. Invariants: only files below the root and of a known type are given out, names that
//! start with a dot never; an entity tag is a hash of the content, so equal tags mean equal bytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/web");

/// Entity tags of the embedded files, hashed once.
static TAGS: LazyLock<HashMap<&'static Path, String>> = LazyLock::new(|| {
    let mut tags = HashMap::new();
    let mut folders = vec![&EMBEDDED];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        tags.extend(folder.files().map(|file| (file.path(), tag(file.contents()))));
    }
    tags
});

/// Where the console's files come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The binary itself.
    #[default]
    Embedded,
    /// A folder like `crates/console/web`, read anew at each request.
    Folder(PathBuf),
}

/// A file as it goes out over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// 200, or 304 when the caller already has it; then `body` is empty.
    pub status: u16,
    /// The content.
    pub body: Cow<'static, [u8]>,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// A strong `ETag`, quotes included.
    pub etag: String,
}

impl Asset {
    /// `Cache-Control`: kept, and asked about each time, so that a new binary is a new console at once.
    pub const CACHE_CONTROL: &'static str = "no-cache";
}

// === impl Source ===

impl Source {
    /// The file at `path`, relative to the root and separated by `/`; `None` when there is no such file or it
    /// is not one to give out. `if_none_match` is that header of the request.
    pub fn asset(&self, path: &str, if_none_match: Option<&str>) -> Option<Asset> {
        let content_type = content_type(path)?;
        let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || path.split('/').any(|part| part.starts_with('.') || part.contains('\\')) {
            return None;
        }
        let (body, etag) = match self {
            Self::Embedded => {
                let file = EMBEDDED.get_file(path)?;
                (Cow::Borrowed(file.contents()), TAGS.get(file.path())?.clone())
            }
            Self::Folder(root) => {
                let body = std::fs::read(root.join(path)).ok()?;
                let etag = tag(&body);
                (Cow::Owned(body), etag)
            }
        };
        if if_none_match.is_some_and(|header| matches_tag(header, &etag)) {
            return Some(Asset { status: 304, body: Cow::Borrowed(&[]), content_type, etag });
        }
        Some(Asset { status: 200, body, content_type, etag })
    }

    /// The console's one HTML page, for each of [`crate::PAGES`].
    pub fn index(&self, if_none_match: Option<&str>) -> Option<Asset> {
        self.asset("index.html", if_none_match)
    }
}

fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

fn tag(content: &[u8]) -> String {
    let digest = hex::encode(Sha256::digest(content));
    format!("\"{}\"", digest.get(..32).unwrap_or(&digest))
}

/// RFC 9110 §13.1.2: `*`, or a list of tags compared weakly.
fn matches_tag(header: &str, etag: &str) -> bool {
    header
        .split(',')
        .map(str::trim)
        .any(|item| item == "*" || item.strip_prefix("W/").unwrap_or(item) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_files_below_the_root_are_given_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("web")).unwrap();
        std::fs::write(folder.path().join("outside.js"), "no").unwrap();
        for name in ["a.js", ".hidden.js", "key.pem"] {
            std::fs::write(folder.path().join("web").join(name), "x").unwrap();
        }
        let disk = Source::Folder(folder.path().join("web"));
        let check = |source: &Source, path: &str, found: bool| {
            assert_eq!(source.asset(path, None).is_some(), found, "{source:?} {path}");
        };
        check(&disk, "a.js", true);
        for path in
            ["../outside.js", "/a.js", "./a.js", ".hidden.js", "key.pem", "", "web", "b.js", "..\\outside.js"]
        {
            check(&disk, path, false);
        }
        check(&Source::Embedded, "index.html", true);
        check(&Source::Embedded, "shell/main.js", true);
        check(&Source::Embedded, "../src/lib.rs", false);
        check(&Source::Embedded, "shell", false);
    }

    #[test]
    fn an_unchanged_file_is_not_sent_again() {
        let first = Source::Embedded.index(None).unwrap();
        assert_eq!((first.status, first.content_type), (200, "text/html; charset=utf-8"));
        let check = |header: &str, status: u16| {
            let again = Source::Embedded.index(Some(header)).unwrap();
            assert_eq!(again.status, status, "{header}");
            assert_eq!(again.body.is_empty(), status == 304, "{header}");
        };
        check(&first.etag, 304);
        check(&format!("\"other\", W/{}", first.etag), 304);
        check("*", 304);
        check("\"other\"", 200);
        check("", 200);
    }

    #[test]
    fn both_sources_tag_alike() {
        let disk = Source::Folder(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("web"));
        assert_eq!(disk.index(None).unwrap().etag, Source::Embedded.index(None).unwrap().etag);
    }
}
