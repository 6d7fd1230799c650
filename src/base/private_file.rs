//! Files that only their owner may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The options with mode 0600 for a file that they create, on Unix.
#[cfg(unix)]
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Replaces the file atomically, with mode 0600 or what the old file had of it. If this fails, the old file
/// is still there. If it succeeds, the new one is visible, but survives a power cut only after
/// [`sync_directory`].
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = beside(path, ".new");
    // Removes what a crash left behind, which may have another mode, and a link that somebody planted.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let options = keep_stricter(private(options.create_new(true).write(true)), path);
    let mut file = options.open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

/// The path with a suffix after its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Makes sure that a [replaced](replace) file survives a power cut.
#[cfg(unix)]
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// No directory can be opened as a file here, so this only checks that the file is there.
#[cfg(not(unix))]
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path).map(drop)
}

#[cfg(unix)]
fn keep_stricter<'a>(options: &'a mut OpenOptions, path: &Path) -> &'a mut OpenOptions {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let old = fs::metadata(path).map_or(0o600, |about| about.permissions().mode());
    options.mode(old & 0o600)
}

#[cfg(not(unix))]
fn keep_stricter<'a>(options: &'a mut OpenOptions, _path: &Path) -> &'a mut OpenOptions {
    options
}
