//! Helper processes: this test binary, started again as a server, a client, a lock holder or a
//! waiter.

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

use crate::children::ChildGuard;

/// Environment variable that turns a test of this binary into a helper.
const HELPER: &str = "PRODUCER_TEST_HELPER";

/// A helper process and the first line that it printed.
pub type HelperProcess = (ChildGuard, String);

/// Starts this test binary again as a helper.
pub fn start_helper(part: &str) -> HelperProcess {
    start_helper_with(Command::new(std::env::current_exe().unwrap()), part)
}

/// Starts `command`, which runs this test binary, as a helper.
pub fn start_helper_with(mut command: Command, part: &str) -> HelperProcess {
    command.args(["helpers::run_as_helper", "--exact", "--nocapture"]).env(HELPER, part);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = said.find_map(|line| line.split_once("helper: ").map(|(_, said)| said.to_owned())).unwrap();
    (ChildGuard(child), line)
}

#[test]
fn run_as_helper() {
    let Ok(part) = std::env::var(HELPER) else { return };
    let (role, address) = part.split_once(' ').unwrap();
    let wait = || std::io::stdin().read(&mut [0]);
    let say = |said: &str| {
        println!("\nhelper: {said}");
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
            // It ends with this process, which closes its standard input.
            let child = ChildGuard(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
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
        "sweep-beside-own" => say(&crate::own_processes::sweep_beside_own(Path::new(address))),
        "starve" => {
            say(&crate::descriptors::sweep_without_descriptors(address));
        }
        "lock-one-of-many" | "wait-for-one-of-many" => {
            let _ = hostread::descriptors::raise_limit();
            let (files, path) = crate::flood::open_many(Path::new(address));
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            if role == "wait-for-one-of-many" {
                say("waiting");
            }
            fcntl_lock(&file, FlockOperation::LockExclusive).unwrap();
            say("locked");
            let _ = wait();
            drop(files);
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
            // Printed before, because it may not get that far afterwards.
            say("locks");
            lock_memory(Path::new(address));
            let _ = wait();
        }
        _ => panic!("no such part"),
    }
}

/// Takes an open-file-description lock on the whole file.
fn open_file_lock(file: &std::fs::File, command: libc::c_int) {
    let whole = libc::flock { l_type: libc::F_WRLCK as i16, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    // SAFETY: the descriptor is open, and the lock outlives the call.
    let locked = unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(file), command, &whole) };
    assert_eq!(locked, 0, "{}", std::io::Error::last_os_error());
}

/// Keeps this process's memory map locked while a page of a file does not arrive.
fn lock_memory(path: &Path) {
    const PAGE: usize = 4096;
    let file = std::fs::File::open(path).unwrap();
    // Until its attributes are requested, the kernel assumes that the file is empty.
    assert_eq!(file.metadata().unwrap().len(), PAGE as u64);
    // SAFETY: a new mapping, which is not accessed here.
    let page = unsafe { mmap(null_mut(), PAGE, ProtFlags::READ, MapFlags::PRIVATE, &file, 0) }.unwrap() as u64;
    // Reading memory through the file holds the lock until the page arrives.
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    std::thread::spawn(move || memory.read_at(&mut [0], page));
    // A writer that waits for the map's lock blocks all later readers.
    std::thread::spawn(|| {
        loop {
            // SAFETY: a new mapping again.
            unsafe {
                let page = mmap_anonymous(null_mut(), PAGE, ProtFlags::READ, MapFlags::PRIVATE).unwrap();
                munmap(page, PAGE).unwrap();
            }
        }
    });
}
