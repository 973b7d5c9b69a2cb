//! A SQLite file layer (VFS) that records what reaches the operating system, in order: writes, cuts, syncs, removals of
//! the database and its log. Everything is passed on to the layer SQLite uses anyway.
//!
//! This is the one file of the ledger that needs `unsafe`: a VFS is a C interface. The proof obligations, each met in
//! one place: the layer below is found once and lives for ever (it is static in SQLite); a file of ours is our header
//! followed by the file below, in memory that SQLite allocates by our `szOsFile`; SQLite calls methods only between
//! open and close of that file, and passes buffers of the length it names.
//! Source: <https://www.sqlite.org/vfs.html>, "VFS shims".

#![allow(unsafe_code, reason = "a VFS is a C interface; see above for what is relied upon")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::ffi;

/// Something that reached the operating system, or that a test noted in between.
#[derive(Clone, Debug)]
pub enum Event {
    /// Bytes were written at an offset of a file.
    Write(Which, usize, Vec<u8>),
    /// A file was cut or stretched.
    Truncate(Which, usize),
    /// A file was synced.
    Sync(Which),
    /// A file was removed.
    Delete(Which),
    /// The test was told that this fact is durable.
    Acknowledged(u64),
}

/// The two files that matter after a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The database.
    Database,
    /// The write-ahead log.
    Log,
}

/// A file of ours; the file below follows it in memory.
#[repr(C)]
struct RecordedFile {
    methods: *const ffi::sqlite3_io_methods,
    which: Option<Which>,
}

/// Whether syncs of the log fail, as on a disk that breaks.
pub static SYNCS_FAIL: AtomicBool = AtomicBool::new(false);

static EVENTS: Mutex<Vec<Event>> = Mutex::new(Vec::new());
static BELOW: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(std::ptr::null_mut());

/// Version 2: shared memory, but no memory-mapped reading and writing past the record.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes the recording layer the one that every connection of this process uses from now on, and lends the record to one
/// test at a time.
pub fn install() -> MutexGuard<'static, ()> {
    static IN_USE: Mutex<()> = Mutex::new(());
    static ONCE: Once = Once::new();
    let guard = IN_USE.lock();
    ONCE.call_once(register);
    guard
}

fn register() {
    // SAFETY: the default layer of SQLite is static and always there; the copy lives for ever as well, because it is
    // leaked, and differs from a layer that works in its size, its name and two functions of the right type.
    unsafe {
        let below = ffi::sqlite3_vfs_find(std::ptr::null());
        assert!(!below.is_null());
        assert!(BELOW.swap(below, Ordering::SeqCst).is_null(), "installed twice");
        let mut layer = std::ptr::read(below);
        layer.zName = c"recording".as_ptr();
        layer.szOsFile += c_int::try_from(size_of::<RecordedFile>()).unwrap();
        layer.pNext = std::ptr::null_mut();
        layer.xOpen = Some(open);
        layer.xDelete = Some(delete);
        let layer = Box::into_raw(Box::new(layer));
        assert_eq!(ffi::sqlite3_vfs_register(layer, 1), ffi::SQLITE_OK);
    }
}

/// Adds to the record.
pub fn note(event: Event) {
    EVENTS.lock().push(event);
}

/// Takes the record.
pub fn take() -> Vec<Event> {
    std::mem::take(&mut EVENTS.lock())
}

// SAFETY: only SQLite calls it, for a layer or an open file of ours.
unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: `file` has room for ours and the one below by `szOsFile`; ours is a multiple of a pointer's size, so the
    // one below is aligned. Its method pointer is set by the layer below, whether or not it succeeds.
    unsafe {
        let below = BELOW.load(Ordering::SeqCst);
        let inner = inner(file);
        (*inner).pMethods = std::ptr::null();
        let code = (*below).xOpen.unwrap()(below, name, inner, flags, out_flags);
        let methods: *const ffi::sqlite3_io_methods =
            if (*inner).pMethods.is_null() { std::ptr::null() } else { &raw const METHODS };
        let which = match flags {
            _ if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 => Some(Which::Database),
            _ if flags & ffi::SQLITE_OPEN_WAL != 0 => Some(Which::Log),
            _ => None,
        };
        std::ptr::write(file.cast::<RecordedFile>(), RecordedFile { methods, which });
        code
    }
}

// SAFETY: only SQLite calls it, for a layer or an open file of ours.
unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: `name` is a C string of SQLite's, and the layer below is static.
    unsafe {
        if CStr::from_ptr(name).to_bytes().ends_with(b"-wal") {
            note(Event::Delete(Which::Log));
        }
        let below = BELOW.load(Ordering::SeqCst);
        (*below).xDelete.unwrap()(below, name, sync_folder)
    }
}

// SAFETY: only SQLite calls it, for a layer or an open file of ours.
unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, bytes: *const c_void, len: c_int, at: i64) -> c_int {
    // SAFETY: SQLite passes `len` readable bytes.
    unsafe {
        if let Some(which) = which(file) {
            let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), usize::try_from(len).unwrap());
            note(Event::Write(which, usize::try_from(at).unwrap(), bytes.to_vec()));
        }
        below(file).xWrite.unwrap()(inner(file), bytes, len, at)
    }
}

// SAFETY: only SQLite calls it, for a layer or an open file of ours.
unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: i64) -> c_int {
    // SAFETY: an open file, as SQLite promises.
    unsafe {
        if let Some(which) = which(file) {
            note(Event::Truncate(which, usize::try_from(len).unwrap()));
        }
        below(file).xTruncate.unwrap()(inner(file), len)
    }
}

// SAFETY: only SQLite calls it, for a layer or an open file of ours.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: an open file, as SQLite promises.
    unsafe {
        if which(file) == Some(Which::Log) && SYNCS_FAIL.load(Ordering::SeqCst) {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        let code = below(file).xSync.unwrap()(inner(file), flags);
        if let Some(which) = which(file).filter(|_| code == ffi::SQLITE_OK) {
            note(Event::Sync(which));
        }
        code
    }
}

/// The file below ours.
// SAFETY: `file` must be one that [`open`] was given.
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: by the caller's promise the memory goes on past our header.
    unsafe { file.cast::<RecordedFile>().add(1).cast::<ffi::sqlite3_file>() }
}

/// The methods of the file below ours.
// SAFETY: `file` must be open.
unsafe fn below<'f>(file: *mut ffi::sqlite3_file) -> &'f ffi::sqlite3_io_methods {
    // SAFETY: the layer below set it when the file was opened, and its tables are static.
    unsafe { &*(*inner(file)).pMethods }
}

/// Which file it is.
// SAFETY: `file` must be open.
unsafe fn which(file: *mut ffi::sqlite3_file) -> Option<Which> {
    // SAFETY: [`open`] wrote our header there.
    unsafe { (*file.cast::<RecordedFile>()).which }
}

/// Methods that are passed on as they are.
macro_rules! pass_on {
    ($($name:ident = $method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        // SAFETY: only SQLite calls it, for an open file of ours.
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $type)*) -> $answer {
            // SAFETY: an open file, and arguments that SQLite made for this very method.
            unsafe { below(file).$method.unwrap()(inner(file) $(, $argument)*) }
        }
    )*};
}

pass_on! {
    close = xClose() -> c_int;
    read = xRead(bytes: *mut c_void, len: c_int, at: i64) -> c_int;
    file_size = xFileSize(len: *mut i64) -> c_int;
    lock = xLock(level: c_int) -> c_int;
    unlock = xUnlock(level: c_int) -> c_int;
    check_reserved_lock = xCheckReservedLock(held: *mut c_int) -> c_int;
    file_control = xFileControl(operation: c_int, argument: *mut c_void) -> c_int;
    sector_size = xSectorSize() -> c_int;
    device_characteristics = xDeviceCharacteristics() -> c_int;
    shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, place: *mut *mut c_void) -> c_int;
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    shm_barrier = xShmBarrier() -> ();
    shm_unmap = xShmUnmap(delete: c_int) -> c_int;
}
