//! Who has the disk, or its space.

use std::{io, path::Path};

use anyhow::Context;
use rustix::fs::statfs;
use service::Hint;

use super::{
    catalogue::{Family, Fault},
    need::Need,
    part::Part,
    safety::Takes,
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
        bounds: "a file of 134 MB, written over and over",
        undone: "its processes end and its files are removed",
        needs: &[],
        takes: Takes { memory: 256, disk: 150 },
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
        play: fill_filesystem,
    },
];

fn fsync_hog(stage: &mut Stage) -> anyhow::Result<Deed> {
    let (file, victims) = match stage.shop_unless_path() {
        Some(shop) => {
            let file = shop.folder.join("backup.part");
            stage.make_file(&file)?;
            (file, shop.suspects(&["database", "web"]))
        }
        None => {
            let file = stage.file("backup.part")?;
            let journal = file.with_extension("journal");
            stage.make_file(&journal)?;
            let victim = stage.start(&Part::Journal(journal))?;
            (file, vec![Suspect::process(victim)])
        }
    };
    check_is_on_disk(&file)?;
    stage.all_is_well()?;
    let hog = stage.start(&Part::Backup(file.clone()))?;
    Ok(Deed::of(vec![Suspect::process(hog).about(&file)], victims))
}

fn check_is_on_disk(file: &Path) -> anyhow::Result<()> {
    const TMPFS: u32 = 0x0102_1994;
    let kind =
        statfs(file).map_err(io::Error::from).with_context(|| format!("cannot look at `{}`", file.display()))?.f_type;
    let on_disk = if kind as u32 == TMPFS {
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
