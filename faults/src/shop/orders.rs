//! Orders to a part of the shop: a bug of it that lasts as long as a connection.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    time::Duration,
};

use anyhow::Context;

use super::Part;

/// A bug that lasts as long as this.
pub struct Order {
    connection: UnixStream,
}

impl Order {
    /// Tells when it is over: because the part has ended it or is gone, or because this was dropped.
    ///
    /// # Errors
    /// If there are too many open files.
    pub fn watch(&self, tell: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
        let mut connection = self.connection.try_clone().context("cannot watch an order to the shop")?;
        std::thread::spawn(move || {
            // Whatever the part says more, it hangs up when it is done.
            let _ = io::copy(&mut connection, &mut io::sink());
            tell();
        });
        Ok(())
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        // Who watches has the connection too, so it would stay if only this end of it were closed.
        let _ = self.connection.shutdown(Shutdown::Both);
    }
}

/// Orders a bug of a part, such as `leak 25`, for so many seconds at most.
///
/// # Errors
/// If the part does not take it.
pub fn order(part: &Part, bug: &str, seconds: u64) -> anyhow::Result<Order> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let control = part.control.as_ref().with_context(|| format!("the shop's `{}` takes no orders", part.name))?;
    let refused = || format!("the shop's `{}` does not take the order `{bug}`", part.name);
    let mut connection = UnixStream::connect(control).with_context(refused)?;
    connection.set_read_timeout(Some(PATIENCE)).with_context(refused)?;
    // In one piece: whoever reads may take what is there for the whole line.
    connection.write_all(format!("{bug} {seconds}\n").as_bytes()).with_context(refused)?;
    let mut said = String::new();
    BufReader::new(&connection).read_line(&mut said).with_context(refused)?;
    anyhow::ensure!(said.trim_end() == "begun", "{}: it says `{}`", refused(), said.trim_end());
    // It says nothing more until it is over.
    connection.set_read_timeout(None).with_context(refused)?;
    Ok(Order { connection })
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, sync::mpsc::channel, thread};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// Orders a bug of a part that takes it and then does something with the connection.
    fn order_of(part: impl FnOnce(BufReader<UnixStream>) + Send + 'static) -> (Order, thread::JoinHandle<()>) {
        let folder = tempfile::tempdir().unwrap();
        let control = folder.path().join("web-2.sock");
        let listener = UnixListener::bind(&control).unwrap();
        let playing = thread::spawn(move || {
            let mut client = BufReader::new(listener.accept().unwrap().0);
            client.read_line(&mut String::new()).unwrap();
            client.get_mut().write_all(b"begun\n").unwrap();
            part(client);
        });
        let part = Part { name: "web-2".into(), role: "web".into(), pid: 1, endpoint: None, control: Some(control) };
        (order(&part, "loop", 600).unwrap(), playing)
    }

    #[test]
    fn a_part_that_ends_an_order_is_noticed() {
        let (sender, told) = channel();
        let (order, playing) = order_of(|mut client| client.get_mut().write_all(b"ended\n").unwrap());
        order.watch(move || sender.send(()).unwrap()).unwrap();
        told.recv_timeout(SOON).unwrap();
        playing.join().unwrap();
    }

    #[test]
    fn the_part_notices_the_end_of_an_order_that_is_watched() {
        let (over, told) = channel();
        let (order, playing) = order_of(move |mut client| {
            client.read_line(&mut String::new()).unwrap();
            over.send(()).unwrap();
        });
        order.watch(|| {}).unwrap();
        drop(order);
        told.recv_timeout(SOON).unwrap();
        playing.join().unwrap();
    }
}
