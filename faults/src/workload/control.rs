//! The client of a component's control socket: a bug lasts as long as the connection.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    time::Duration,
};

use anyhow::Context;

use super::Component;
use crate::user::User;

/// A bug that is switched on. Dropping it switches the bug off.
pub struct ActiveBug {
    connection: UnixStream,
}

impl ActiveBug {
    /// Calls `callback` when the bug ends: the component ended it or is gone, or `self` was
    /// dropped.
    ///
    /// # Errors
    /// If there are too many open files.
    pub fn on_end(&self, callback: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
        let mut connection = self.connection.try_clone().context("cannot watch a bug of the workload")?;
        std::thread::spawn(move || {
            // The component closes the connection when the bug has ended.
            let _ = io::copy(&mut connection, &mut io::sink());
            callback();
        });
        Ok(())
    }
}

impl Drop for ActiveBug {
    fn drop(&mut self) {
        // Closing the descriptor is not enough: the thread of `on_end` has a copy.
        let _ = self.connection.shutdown(Shutdown::Both);
    }
}

/// Switches on a bug of a component, such as `leak 25`, for at most so many seconds. Connects with
/// the permissions of `user`.
///
/// # Errors
/// If the component has no control socket or refuses the bug.
pub fn start_bug(component: &Component, user: User, bug: &str, seconds: u64) -> anyhow::Result<ActiveBug> {
    const MAX_ANSWER_BYTES: u64 = 1024;
    const TIMEOUT: Duration = Duration::from_secs(5);
    let control = component.control.as_ref();
    let control = control.with_context(|| format!("the component `{}` has no control socket", component.name))?;
    let failed = || format!("cannot start the bug `{bug}` of the component `{}`", component.name);
    let mut connection = user.run(|| UnixStream::connect(control))?.with_context(failed)?;
    connection.set_read_timeout(Some(TIMEOUT)).with_context(failed)?;
    // One write: the component may take whatever it reads first for the whole line.
    connection.write_all(format!("{bug} {seconds}\n").as_bytes()).with_context(failed)?;
    let mut answer = String::new();
    BufReader::new(&connection).take(MAX_ANSWER_BYTES).read_line(&mut answer).with_context(failed)?;
    let answer = answer.trim_end();
    anyhow::ensure!(answer == "begun", "{}: expected `begun`, found {answer:?}", failed());
    // The next answer comes when the bug ends.
    connection.set_read_timeout(None).with_context(failed)?;
    Ok(ActiveBug { connection })
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, sync::mpsc::channel, thread};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(20);

    /// Starts a bug of a component that accepts it and then calls `serve` with the connection.
    fn start(serve: impl FnOnce(BufReader<UnixStream>) + Send + 'static) -> (ActiveBug, thread::JoinHandle<()>) {
        let folder = tempfile::tempdir().unwrap();
        let control = folder.path().join("web-2.sock");
        let listener = UnixListener::bind(&control).unwrap();
        let server = thread::spawn(move || {
            let mut client = BufReader::new(listener.accept().unwrap().0);
            client.read_line(&mut String::new()).unwrap();
            client.get_mut().write_all(b"begun\n").unwrap();
            serve(client);
        });
        let component = serde_json::json!({"name": "web-2", "role": "worker", "pid": 1, "control": control});
        let component: Component = serde_json::from_value(component).unwrap();
        (start_bug(&component, User::Current, "loop", 600).unwrap(), server)
    }

    #[test]
    fn the_callback_runs_when_the_component_ends_the_bug() {
        let (sender, receiver) = channel();
        let (bug, server) = start(|mut client| client.get_mut().write_all(b"ended\n").unwrap());
        bug.on_end(move || sender.send(()).unwrap()).unwrap();
        receiver.recv_timeout(TIMEOUT).unwrap();
        server.join().unwrap();
    }

    #[test]
    fn dropping_a_watched_bug_closes_the_connection() {
        let (sender, receiver) = channel();
        let (bug, server) = start(move |mut client| {
            client.read_line(&mut String::new()).unwrap();
            sender.send(()).unwrap();
        });
        bug.on_end(|| {}).unwrap();
        drop(bug);
        receiver.recv_timeout(TIMEOUT).unwrap();
        server.join().unwrap();
    }
}
