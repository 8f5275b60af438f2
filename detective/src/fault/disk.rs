//! Who has the disk, or its space.

use std::{
    fs::File,
    io::{self, ErrorKind, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::Path,
    time::Duration,
};

use anyhow::Context;
use rustix::fs::{FallocateFlags, fallocate, statfs};
use service::Hint;

use super::{
    catalogue::{Family, Fault},
    need::Need,
    part::{self, BEGUN, Part},
    safety::Takes,
    stage::Stage,
    truth::{Deed, Suspect},
};

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
        bounds: "one small filesystem that nobody else uses",
        undone: "its process ends and its file is removed",
        needs: &[Need::Shop, Need::Spool],
        takes: Takes { memory: 16, disk: 0 },
        play: fill_filesystem,
    },
];

const REGIONS: u64 = 4;
const REGION_BYTES: u64 = 32 << 20;

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
    let shop = stage.shop()?;
    stage.all_is_well()?;
    let file = shop.spool.join("thumbnails.cache");
    stage.make_file(&file)?;
    let filler = stage.start(&Part::Thumbnailer(file.clone()))?;
    let culprits = vec![Suspect::process(filler).about(&file), Suspect::file(&shop.spool), Suspect::file(&file)];
    Ok(Deed::of(culprits, shop.suspects(&["web"])))
}

/// Writes a little and has it on the disk, twenty times a second.
///
/// # Errors
/// If the file cannot be written.
pub fn write_journal(path: &Path) -> anyhow::Result<()> {
    const PAUSE: Duration = Duration::from_millis(50);
    let (mut file, cannot_write) = open(path)?;
    part::tell(BEGUN)?;
    loop {
        file.seek(SeekFrom::Start(0)).with_context(&cannot_write)?;
        file.write_all(&[b'j'; 4096]).and_then(|()| file.sync_data()).with_context(&cannot_write)?;
        part::pause(PAUSE);
    }
}

/// Writes a file on several threads and has it on the disk, over and over.
///
/// # Errors
/// If the file cannot be written.
pub fn write_and_sync(path: &Path) -> anyhow::Result<()> {
    let (file, cannot_write) = open(path)?;
    part::tell(BEGUN)?;
    let write = |n: u64| -> io::Result<()> {
        loop {
            write_region(&file, n * REGION_BYTES)?;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..REGIONS).map(|n| scope.spawn(move || write(n))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect::<io::Result<()>>()
    })
    .with_context(cannot_write)
}

/// Writes a region anew and waits for the disk. Its old blocks are given back first: a journal that orders data before
/// what it says of new blocks then has everybody who commits wait for all of it.
fn write_region(file: &File, offset: u64) -> io::Result<()> {
    const BLOCK: usize = 1 << 20;
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    // Where a filesystem cannot, the old blocks are written over.
    let _ = fallocate(file, punch, offset, REGION_BYTES);
    let block = vec![b'b'; BLOCK];
    for at in (offset..offset + REGION_BYTES).step_by(BLOCK) {
        file.write_all_at(&block, at)?;
    }
    file.sync_all()
}

/// Writes until there is no space, and takes what others free.
///
/// # Errors
/// If the file cannot be written for any other reason.
pub fn fill(path: &Path) -> anyhow::Result<()> {
    const PAUSE: Duration = Duration::from_millis(20);
    let (mut file, cannot_write) = open(path)?;
    let blocks = [vec![b't'; 1 << 16], vec![b't'; 1 << 9]];
    let mut has_begun = false;
    loop {
        for block in &blocks {
            while let Some(written) = not_if_full(file.write(block)).with_context(&cannot_write)? {
                anyhow::ensure!(written > 0, "{}", cannot_write());
            }
        }
        if !has_begun {
            part::tell(BEGUN)?;
            has_begun = true;
        }
        part::pause(PAUSE);
    }
}

fn not_if_full(written: io::Result<usize>) -> io::Result<Option<usize>> {
    match written {
        Err(error) if error.kind() == ErrorKind::StorageFull => Ok(None),
        written => written.map(Some),
    }
}

/// Not made, for it may have been removed already.
fn open(path: &Path) -> anyhow::Result<(File, impl Fn() -> String)> {
    let cannot_write = move || format!("cannot write to `{}`", path.display());
    let file = File::options().write(true).open(path).with_context(cannot_write)?;
    Ok((file, cannot_write))
}
