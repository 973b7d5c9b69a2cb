//! The unix socket's file: made so that nobody else can connect before its mode is right, and replaced only when
//! nobody listens on it.
//!
//! The socket is bound inside a new folder that only we may enter, given its mode, and then renamed to its place: at
//! no moment is there a socket at the path that is open to more than it should be, or that does not answer.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::address::ListenError;

/// Bytes of path the kernel takes: `sun_path` of unix(7), less its final zero.
const MAX_PATH: usize = 107;

/// A socket file of ours; removed when dropped, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

/// Listens on `path` with file mode `mode`.
///
/// # Errors
/// Another process answers there, something else is in the way, the path is too long, or the system refused.
pub(super) fn listen(path: &Path, mode: u32) -> Result<(UnixListener, SocketFile), ListenError> {
    let failed = |error| ListenError::Io { place: path.display().to_string(), error };
    let room = path.with_file_name(format!(".sock{}", std::process::id()));
    let made = room.join("s");
    if made.as_os_str().len().max(path.as_os_str().len()) > MAX_PATH {
        return Err(ListenError::PathTooLong { path: path.to_owned(), limit: MAX_PATH });
    }
    free(path)?;
    // Left over only by a killed process that had the same number.
    let _ = std::fs::remove_file(&made);
    let _ = std::fs::remove_dir(&room);
    std::fs::DirBuilder::new().mode(0o700).create(&room).map_err(failed)?;
    let bound = bind(&made, mode).and_then(|bound| std::fs::rename(&made, path).map(|()| bound));
    if bound.is_err() {
        let _ = std::fs::remove_file(&made);
    }
    std::fs::remove_dir(&room).map_err(failed)?;
    let listener = bound.map_err(failed)?;
    let inode = std::fs::symlink_metadata(path).map_err(failed)?.ino();
    Ok((listener, SocketFile { path: path.to_owned(), inode }))
}

fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Checks that nothing at `path` is in use. A socket nobody answers on is left by a process that was killed.
fn free(path: &Path) -> Result<(), ListenError> {
    match std::fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(found) if !found.file_type().is_socket() => Err(ListenError::NotASocket(path.to_owned())),
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => Err(ListenError::SocketInUse(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(ListenError::Io { place: path.display().to_string(), error }),
        },
    }
}

impl SocketFile {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_socket_has_its_mode_and_is_removed_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mainstay.sock");
        for wanted in [0o600, 0o660] {
            let (_listener, file) = listen(&path, wanted).unwrap();
            assert_eq!(mode(&path), wanted);
            assert!(UnixStream::connect(&path).is_ok());
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
            drop(file);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mainstay.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the file outlives its listener, as after a kill");
        let (listener, file) = listen(&path, 0o600).unwrap();
        assert!(matches!(listen(&path, 0o600), Err(ListenError::SocketInUse(_))));
        // Someone else's newer socket is not removed by ours.
        drop(listener);
        let (_newer, _newer_file) = listen(&path, 0o600).unwrap();
        drop(file);
        assert!(path.exists());
    }

    #[test]
    fn what_is_in_the_way_is_said_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mainstay.sock");
        std::fs::write(&path, "precious").unwrap();
        let error = listen(&path, 0o600).unwrap_err();
        assert!(error.to_string().contains("not a socket"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        let long = folder.path().join("x".repeat(120));
        let error = listen(&long, 0o600).unwrap_err();
        assert!(error.to_string().contains("107 bytes"), "{error}");
        let missing = folder.path().join("none/mainstay.sock");
        assert!(matches!(listen(&missing, 0o600), Err(ListenError::Io { .. })));
    }
}
