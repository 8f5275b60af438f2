//! This test binary, started again to play a part: a server, a client, one that locks, one that waits.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    process::{Command, Stdio},
};

use rustix::fs::{FlockOperation, fcntl_lock};

use crate::children::Kept;

/// The environment variable that makes a test of this binary play a part for another.
const PART: &str = "PRODUCER_TEST_PART";

/// Starts this test binary again to play a part, and returns it with the line that it says.
pub fn play(part: &str) -> (Kept, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
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
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            say(&listener.local_addr().unwrap().to_string());
            let _accepted = (role == "serve").then(|| listener.accept().unwrap());
            let _ = wait();
        }
        "connect" => {
            let _connection = TcpStream::connect(address).unwrap();
            say("connected");
            let _ = wait();
        }
        "serve-unix" => {
            let listener = UnixListener::bind(address).unwrap();
            say("listening");
            let _accepted = listener.accept().unwrap();
            let _ = wait();
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
        _ => panic!("no such part"),
    }
}
