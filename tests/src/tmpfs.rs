//! Small file systems, for disks that are full or read-only.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A mounted tmpfs, unmounted when dropped.
#[derive(Debug)]
pub struct Tmpfs(TempDir);

impl Tmpfs {
    /// One with these options: `size=4m`. `None`, with a message, if this user may mount nothing.
    #[must_use]
    pub fn mount(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "keyedcache-test"]).arg(folder.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(folder)),
            failed => {
                println!("SKIPPED: this needs the right to mount a tmpfs: {failed:?}");
                None
            }
        }
    }

    /// Changes its options: `size=16m`, `ro`.
    pub fn remount(&self, options: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{options}")]).arg(self.path());
        assert!(mount.status().expect("it was mounted by the same").success());
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: what a test that failed has still open must not keep it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
