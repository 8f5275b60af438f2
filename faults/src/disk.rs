//! Who has the disk, or its space.

use std::path::{Path, PathBuf};

use service::Hint;

use super::{
    fault::{Family, Fault},
    need::Need,
    part::Part,
    safety::{self, Takes},
    stage::Stage,
    truth::{Deed, Suspect},
};

mod writers;

pub use writers::{fill, write_and_sync, write_journal};

/// The faults of this family.
pub const FAULTS: [Fault; 2] = [
    Fault {
        name: "fsync-hog",
        family: Family::Disk,
        does: "a foreign process writes and has all of it on the disk at once, without end",
        blame: "the `backup`",
        suffers: "the shop's database and who waits for it; without the shop, a journal of the fault's own",
        bounds: "a file of 134 MB, written over and over, after 40 GB at 200 MB/s at most",
        undone: "its processes end and its files are removed",
        needs: &[],
        takes: Takes { memory: 256, disk: 150 },
        takes_path: true,
        play: fsync_hog,
    },
    Fault {
        name: "full-filesystem",
        family: Family::Disk,
        does: "a foreign process fills the shop's spool, and keeps it full",
        blame: "the `thumbnailer`, or the filesystem",
        suffers: "the web workers, which cannot write what was ordered",
        bounds: "one small filesystem that nobody else uses, and a file of 268 MB",
        undone: "its process ends and its file is removed",
        needs: &[Need::Shop, Need::Spool],
        takes: Takes { memory: 16, disk: 0 },
        takes_path: false,
        play: fill_filesystem,
    },
];

fn fsync_hog(stage: &mut Stage) -> anyhow::Result<Deed> {
    let (file, victims) = if stage.plays_in_shop() { shop_and_file(stage)? } else { journal_and_file(stage)? };
    let hog = stage.start(&Part::Backup(file.clone()))?;
    Ok(Deed::of(vec![Suspect::process(hog).about(&file)], victims))
}

/// A file beside the shop's, and those who wait for its disk, after all was well.
fn shop_and_file(stage: &mut Stage) -> anyhow::Result<(PathBuf, Vec<Suspect>)> {
    check_is_on_disk(&stage.shop()?.folder)?;
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let file = shop.folder.join("backup.part");
    stage.make_file(&file)?;
    Ok((file, shop.suspects(&["database", "web"])))
}

/// A file, and who keeps a journal beside it, after all was well.
fn journal_and_file(stage: &mut Stage) -> anyhow::Result<(PathBuf, Vec<Suspect>)> {
    let file = stage.file("backup.part")?;
    check_is_on_disk(&file)?;
    let journal = journal_beside(&file);
    stage.make_file(&journal)?;
    let victim = stage.start(&Part::Journal(journal))?;
    stage.all_is_well()?;
    Ok((file, vec![Suspect::process(victim)]))
}

/// Another name than the file's, whatever that is.
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

fn fill_filesystem(stage: &mut Stage) -> anyhow::Result<Deed> {
    stage.all_is_well()?;
    let shop = stage.shop()?;
    let file = shop.spool.join("thumbnails.cache");
    stage.make_file(&file)?;
    let filler = stage.start(&Part::Thumbnailer(file.clone()))?;
    let culprits = vec![Suspect::process(filler).about(&file), Suspect::file(&shop.spool), Suspect::file(&file)];
    Ok(Deed::of(culprits, shop.suspects(&["web"])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_never_the_file_itself() {
        assert_eq!(journal_beside(Path::new("/data/x.journal")), Path::new("/data/x.journal.journal"));
        assert_eq!(journal_beside(Path::new("/data/backup.part")), Path::new("/data/backup.part.journal"));
    }
}
