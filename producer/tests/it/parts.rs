//! This test binary, started again to play a part: a server, a client, one that locks, one that waits.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::{
        fs::FileExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Command, Stdio},
    ptr::null_mut,
};

use rustix::{
    fs::{FlockOperation, fcntl_lock},
    mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap},
};

use crate::children::Kept;

/// The environment variable that makes a test of this binary play a part for another.
const PART: &str = "PRODUCER_TEST_PART";

/// A process that plays a part, and the line that it says.
pub type Play = (Kept, String);

/// Starts this test binary again to play a part.
pub fn play(part: &str) -> Play {
    play_by(Command::new(std::env::current_exe().unwrap()), part)
}

/// Has this test binary, which is what the command runs, play a part.
pub fn play_by(mut command: Command, part: &str) -> Play {
    command.args(["parts::a_part_is_played_for_other_tests", "--exact", "--nocapture"]).env(PART, part);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = said.find_map(|line| line.split_once("says ").map(|(_, said)| said.to_owned())).unwrap();
    (Kept(child), line)
}

#[test]
fn a_part_is_played_for_other_tests() {
    let Ok(part) = std::env::var(PART) else { return };
    let (role, address) = part.split_once(' ').unwrap();
    let wait = || std::io::stdin().read(&mut [0]);
    let say = |said: &str| {
        println!("\nsays {said}");
        std::io::stdout().flush().unwrap();
    };
    match role {
        "serve" | "ignore" => {
            let listener = TcpListener::bind(if address == "-" { "127.0.0.1:0" } else { address }).unwrap();
            say(&listener.local_addr().unwrap().to_string());
            let _accepted = (role == "serve").then(|| listener.accept().unwrap());
            let _ = wait();
        }
        "connect" => {
            let _connection = TcpStream::connect(address).unwrap();
            say("connected");
            let _ = wait();
        }
        "connect-three-times" => {
            let _connections = [(); 3].map(|()| TcpStream::connect(address).unwrap());
            say("connected");
            let _ = wait();
        }
        "serve-unix" => {
            let listener = UnixListener::bind(address).unwrap();
            say("listening");
            let _accepted = listener.accept().unwrap();
            let _ = wait();
        }
        "ignore-unix" => {
            let _listener = UnixListener::bind(address).unwrap();
            say("listening");
            let _ = wait();
        }
        "keep-unix" => {
            let listener = UnixListener::bind(address).unwrap();
            rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::empty()).unwrap();
            // It ends when this process does, for then nobody can write to it any more.
            let child = Kept(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
            say(&child.pid().to_string());
            let _ = wait();
        }
        "drain-unix" => {
            let listener = UnixListener::bind(address).unwrap();
            say("listening");
            let _ = std::io::copy(&mut listener.accept().unwrap().0, &mut std::io::sink());
        }
        "poll-unix" => {
            let mut connection = UnixStream::connect(address).unwrap();
            connection.write_all(b"a question").unwrap();
            say("asked");
            let mut wanted =
                libc::pollfd { fd: std::os::fd::AsRawFd::as_raw_fd(&connection), events: libc::POLLIN, revents: 0 };
            // SAFETY: one descriptor, which is open.
            unsafe { libc::poll(&raw mut wanted, 1, -1) };
        }
        "connect-unix" => {
            let _connection = UnixStream::connect(address).unwrap();
            say("connected");
            let _ = wait();
        }
        "lock" => {
            let file = std::fs::File::options().write(true).open(address).unwrap();
            fcntl_lock(&file, FlockOperation::LockExclusive).unwrap();
            say("locked");
            let _ = wait();
        }
        "wait-in-a-thread" => {
            let file = std::fs::File::options().write(true).open(address).unwrap();
            let waiting = std::thread::spawn(move || fcntl_lock(&file, FlockOperation::LockExclusive));
            say("waiting");
            let _ = wait();
            drop(waiting);
        }
        "lock-open-file" => {
            let file = std::fs::File::options().write(true).open(address).unwrap();
            open_file_lock(&file, libc::F_OFD_SETLK);
            say("locked");
            let _ = wait();
        }
        "wait-for-open-file" => {
            let file = std::fs::File::options().write(true).open(address).unwrap();
            say("waiting");
            open_file_lock(&file, libc::F_OFD_SETLKW);
        }
        "stuck" => {
            static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
            let _held = LOCK.lock().unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            say(&listener.local_addr().unwrap().to_string());
            for connection in listener.incoming() {
                std::thread::spawn(move || {
                    drop(LOCK.lock());
                    connection.unwrap().write_all(b"an answer")
                });
            }
        }
        "ask" => {
            let mut connection = TcpStream::connect(address).unwrap();
            connection.write_all(b"a question").unwrap();
            say("asked");
            let _ = connection.read(&mut [0]);
        }
        "fill-unix" => {
            let mut connection = UnixStream::connect(address).unwrap();
            say("connected");
            while connection.write(&[0; 4096]).is_ok() {}
        }
        "threads" => {
            let threads = (0..address.parse::<usize>().unwrap()).map(|_| {
                std::thread::Builder::new().stack_size(64 << 10).spawn(std::thread::park).unwrap();
            });
            threads.for_each(drop);
            say("started");
            let _ = wait();
        }
        "leak-files" => {
            let open = |_| std::fs::File::open("/etc/passwd").unwrap();
            let _files: Vec<_> = (0..address.parse::<usize>().unwrap()).map(open).collect();
            say("opened");
            let _ = wait();
        }
        "write" => {
            let mut file = std::fs::File::create(address).unwrap();
            say("open");
            let _ = wait();
            file.write_all(b"x").unwrap();
            let _ = wait();
        }
        "pour" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            say(&listener.local_addr().unwrap().to_string());
            let mut connection = listener.accept().unwrap().0;
            while connection.write_all(&[0; 64 << 10]).is_ok() {}
        }
        "drain" => {
            let mut connection = TcpStream::connect(address).unwrap();
            say("connected");
            let _ = std::io::copy(&mut connection, &mut std::io::sink());
        }
        "lock-memory" => {
            // After that it may not come to say anything.
            say("locks");
            lock_memory(Path::new(address));
            let _ = wait();
        }
        _ => panic!("no such part"),
    }
}

/// Locks all of a file, owned by the open file and not by the process.
fn open_file_lock(file: &std::fs::File, command: libc::c_int) {
    let whole = libc::flock { l_type: libc::F_WRLCK as i16, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    // SAFETY: the descriptor is open, and the lock outlives the call.
    let locked = unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(file), command, &whole) };
    assert_eq!(locked, 0, "{}", std::io::Error::last_os_error());
}

/// Keeps this process's memory map locked for as long as a page of a file does not come.
fn lock_memory(path: &Path) {
    const PAGE: usize = 4096;
    let file = std::fs::File::open(path).unwrap();
    // Before it is asked, the kernel takes a file for empty.
    assert_eq!(file.metadata().unwrap().len(), PAGE as u64);
    // SAFETY: a mapping of its own, which nobody looks at from here.
    let page = unsafe { mmap(null_mut(), PAGE, ProtFlags::READ, MapFlags::PRIVATE, &file, 0) }.unwrap() as u64;
    // Who reads memory as a file holds the lock while the page is on its way.
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    std::thread::spawn(move || memory.read_at(&mut [0], page));
    // And who wants to change the map, and has to wait, lets nobody past.
    std::thread::spawn(|| {
        loop {
            // SAFETY: a mapping of its own again.
            unsafe {
                let page = mmap_anonymous(null_mut(), PAGE, ProtFlags::READ, MapFlags::PRIVATE).unwrap();
                munmap(page, PAGE).unwrap();
            }
        }
    });
}
