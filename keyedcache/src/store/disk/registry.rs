//! One opening of a folder a process: LMDB's locks are per process, so a second opening would take
//! the first one's away as it closes.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use parking_lot::Mutex;

/// Device and inode: the same for every path that leads to a folder.
type Identity = (u64, u64);

static OPEN: Mutex<Option<HashSet<Identity>>> = Mutex::new(None);

/// The right of this process to open a folder, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    identity: Identity,
    /// Keeps the inode from being given to another folder should this one be removed.
    _folder: File,
}

impl Place {
    /// `None` if this process has the folder open already.
    pub(super) fn take(folder: &Path) -> io::Result<Option<Self>> {
        let file = File::open(folder)?;
        let identity = identity(&file.metadata()?);
        let is_new = OPEN.lock().get_or_insert_with(HashSet::new).insert(identity);
        Ok(is_new.then_some(Self { identity, _folder: file }))
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(open) = OPEN.lock().as_mut() {
            open.remove(&self.identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_whatever_path_leads_to_it() {
        let parent = tempfile::tempdir().unwrap();
        let (folder, link) = (parent.path().join("folder"), parent.path().join("link"));
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        let place = Place::take(&folder).unwrap();
        assert!(place.is_some());
        assert!(Place::take(&link).unwrap().is_none());
        drop(place);
        assert!(Place::take(&link).unwrap().is_some());
    }
}
