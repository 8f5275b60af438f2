//! What several faults have in common.

use super::Stage;
use crate::{
    part::{Leak, Part},
    truth::{Deed, Suspect},
};

impl Stage {
    /// Those who suffer, after all was well: the shop's web workers, or so many parts of this fault's own.
    ///
    /// # Errors
    /// If they cannot be started, or something ends before.
    pub fn web_or(&mut self, part: &Part, n: usize) -> anyhow::Result<Vec<Suspect>> {
        if self.shop.is_some() {
            self.all_is_well()?;
            return Ok(self.shop()?.suspects(&["web"]));
        }
        let own = (0..n).map(|_| Ok(Suspect::process(self.start(part)?))).collect::<anyhow::Result<_>>()?;
        self.all_is_well()?;
        Ok(own)
    }

    /// A web worker with a bug: to blame is the process, or what listens at its endpoint.
    ///
    /// # Errors
    /// If the shop does not run, or does not take the order.
    pub fn bug_of_web(&mut self, bug: &str) -> anyhow::Result<Deed> {
        self.all_is_well()?;
        let shop = self.shop()?;
        let worker = shop.one("web")?;
        let culprits = Suspect::part_and_endpoint(worker);
        self.order(worker, bug)?;
        Ok(Deed::of(culprits, shop.suspects(&["front"])))
    }

    /// The same; without the shop, a service of this fault's own that takes more and more of something.
    ///
    /// # Errors
    /// If it cannot be started, or the shop does not take the order.
    pub fn bug_or_server(&mut self, bug: &str, leak: Leak) -> anyhow::Result<Deed> {
        if self.shop.is_some() {
            return self.bug_of_web(bug);
        }
        self.all_is_well()?;
        let server = self.start(&Part::SessionServer(leak))?;
        Ok(Deed::of(vec![Suspect::process(server)], Vec::new()))
    }
}
