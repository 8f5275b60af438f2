//! Disk faults: contention and a full filesystem.

use std::path::{Path, PathBuf};

use service::Hint;

use super::{
    fault::{Family, Fault},
    ground_truth::{GroundTruth, Suspect},
    helper::Helper,
    injector::Injector,
    requirement::Requirement,
    safety::{self, ResourceUse},
};

mod writers;

pub use writers::{fill, write_and_sync, write_journal};

/// The faults of this family.
pub const FAULTS: [Fault; 2] = [
    Fault {
        name: "fsync-hog",
        family: Family::Disk,
        description: "an unrelated process continuously writes and syncs a file",
        root_cause: "the `backup`",
        affected: "the workload's processes that wait for the disk; without a workload, a helper `journal`",
        limits: "a file of 134 MB, overwritten repeatedly; after 40 GB at 200 MB/s at most",
        undo: "the processes are killed and the files are removed",
        requirements: &[],
        uses: ResourceUse { memory_mb: 256, disk_mb: 150 },
        accepts_path: true,
        inject: fsync_hog,
    },
    Fault {
        name: "full-filesystem",
        family: Family::Disk,
        description: "an unrelated process fills the workload's spool and keeps it full",
        root_cause: "the `thumbnailer`, or the filesystem",
        affected: "the spool's users, such as web workers, which cannot write",
        limits: "one small filesystem that only the workload uses, and a file of 268 MB",
        undo: "the process is killed and its file is removed",
        requirements: &[Requirement::Spool],
        uses: ResourceUse { memory_mb: 16, disk_mb: 0 },
        accepts_path: false,
        inject: fill_filesystem,
    },
];

fn fsync_hog(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    let (file, affected) =
        if injector.uses_workload_file() { prepare_in_workload(injector)? } else { prepare_journal(injector)? };
    let hog = injector.start(&Helper::Backup(file.clone()))?;
    Ok(GroundTruth { root_cause: vec![Suspect::process(hog).with_path(&file)], affected })
}

/// Waits until the fault is due and creates a file on the workload's disk. Returns the file and the
/// processes that wait for that disk.
fn prepare_in_workload(injector: &mut Injector) -> anyhow::Result<(PathBuf, Vec<Suspect>)> {
    check_is_on_disk(&injector.current_workload()?.folder)?;
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let file = workload.folder.join("backup.part");
    injector.create_file(&file)?;
    Ok((file, workload.suspects(&workload.disk_users)))
}

/// Creates a file, starts a helper that writes a journal beside it, and waits until the fault is
/// due. Returns the file and the helper.
fn prepare_journal(injector: &mut Injector) -> anyhow::Result<(PathBuf, Vec<Suspect>)> {
    let file = injector.create_own_file("backup.part")?;
    check_is_on_disk(&file)?;
    let journal = journal_beside(&file);
    injector.create_file(&journal)?;
    let writer = injector.start(&Helper::Journal(journal))?;
    injector.wait_before_fault()?;
    Ok((file, vec![Suspect::process(writer)]))
}

/// A name that always differs from the file's.
fn journal_beside(file: &Path) -> PathBuf {
    file.with_added_extension("journal")
}

fn check_is_on_disk(file: &Path) -> anyhow::Result<()> {
    let on_disk = if safety::is_in_memory(file)? {
        Err(anyhow::anyhow!("`{}` must be on a disk, found a filesystem in memory", file.display()))
    } else {
        Ok(())
    };
    on_disk.hint("name a file on a disk: `--path FILE`")
}

fn fill_filesystem(injector: &mut Injector) -> anyhow::Result<GroundTruth> {
    injector.wait_before_fault()?;
    let workload = injector.current_workload()?;
    let spool = &workload.spool;
    let file = spool.path.join("thumbnails.cache");
    injector.create_file(&file)?;
    let filler = injector.start(&Helper::Thumbnailer(file.clone()))?;
    let root_cause = vec![Suspect::process(filler).with_path(&file), Suspect::file(&spool.path), Suspect::file(&file)];
    Ok(GroundTruth { root_cause, affected: workload.suspects(&spool.users) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_never_has_the_name_of_the_file() {
        assert_eq!(journal_beside(Path::new("/data/x.journal")), Path::new("/data/x.journal.journal"));
        assert_eq!(journal_beside(Path::new("/data/backup.part")), Path::new("/data/backup.part.journal"));
    }
}
