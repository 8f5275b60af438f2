//! Which container a process is in, and what that container is called whenever it is made anew.

mod label;

use std::collections::{HashMap, HashSet};

pub use label::{Label, UNNAMED};

use hostread::{
    BlockingReader, Directory, ProcessKey, Seen,
    cgroups::ProcessCgroups,
    parse::{cgroup_path as path, environ},
};

/// Of an environment no more than this is looked at.
const LONGEST: usize = 64 << 10;

/// Where Kubernetes tells the pod's namespace, beside the pod's own key to its API, unless the pod is to have none. The key is not read.
const NAMESPACE: &str = "root/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// A process's container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The id that its manager gave it; that of LXC is a name.
    pub id: String,
    /// What it is called; `Here(None)` if nobody says.
    pub label: Seen<Option<Label>>,
}

impl Container {
    /// What the container is called in roles.
    pub fn role(&self) -> &str {
        self.label().map_or(UNNAMED, |label| &label.role)
    }

    /// What it is called, if somebody says.
    pub fn label(&self) -> Option<&Label> {
        match &self.label {
            Seen::Here(label) => label.as_ref(),
            _ => None,
        }
    }
}

/// The namespace that Kubernetes tells a pod, if it does; `Late` if the answer does not come.
fn namespace(
    process: ProcessKey,
    directory: &Directory,
    blocking_reader: &mut BlockingReader,
    buffer: &mut Vec<u8>,
) -> Seen<Option<String>> {
    const LONGEST: usize = 256;
    let keep = |text: &[u8]| environ::parse_name(text).unwrap_or_default().as_bytes().to_vec();
    match blocking_reader.read_file(directory, (process, NAMESPACE), LONGEST, buffer, keep) {
        Seen::Late => Seen::Late,
        told => Seen::Here(told.here().and_then(environ::parse_name).map(str::to_owned)),
    }
}

/// What is remembered of containers: their names, by id. A process that writes its title over its environment no longer says
/// where it is, but others in the same container do.
#[derive(Debug, Default)]
pub struct LabelCache {
    host: String,
    labels: HashMap<String, Label>,
}

impl LabelCache {
    /// Nothing yet, on the host of that name.
    pub fn on(host: String) -> LabelCache {
        LabelCache { host, labels: HashMap::new() }
    }

    /// The container of the process that is in these control groups and whose directory this is, if one is a container's.
    pub fn container(
        &self,
        groups: &ProcessCgroups,
        process: ProcessKey,
        directory: &Directory,
        blocking_reader: &mut BlockingReader,
        buffer: &mut Vec<u8>,
    ) -> Option<Container> {
        let mut groups = groups.iter().map(|place| place.path.as_str());
        let (group, id) = groups.find_map(|group| Some((group, path::find_container(group)?.id)))?;
        let known = || label::from_lxc_path(group).or_else(|| self.labels.get(id).cloned());
        let label = match known() {
            Some(label) => Seen::Here(Some(label)),
            None => {
                let text = blocking_reader.read_file(
                    directory,
                    (process, "environ"),
                    LONGEST,
                    buffer,
                    environ::without_secrets,
                );
                let text = text.map(<[u8]>::to_vec);
                text.and_then(|text| {
                    let mut names = environ::parse_container_names(&text);
                    names.kubernetes |= path::find_pod_uid(group).is_some();
                    let namespace = match names.namespace {
                        None if names.kubernetes => namespace(process, directory, blocking_reader, buffer),
                        _ => Seen::Here(None),
                    };
                    namespace.map(|namespace| {
                        let namespace = names.namespace.or(namespace.as_deref());
                        label::from_environment(&environ::ContainerNames { namespace, ..names }, id, &self.host)
                    })
                })
            }
        };
        Some(Container { id: id.to_owned(), label })
    }

    /// Whether the name of a container that was unknown before is known by now.
    pub fn has_new_label(&self, container: Option<&Container>) -> bool {
        container.is_some_and(|container| container.label().is_none() && self.labels.contains_key(&container.id))
    }

    /// Remembers what a process said.
    pub fn remember(&mut self, container: Option<&Container>) {
        if let Some(container) = container
            && let Some(label) = container.label()
            && !self.labels.contains_key(&container.id)
        {
            self.labels.insert(container.id.clone(), label.clone());
        }
    }

    /// Forgets the containers that are not among these.
    pub fn retain<'c>(&mut self, containers: impl Iterator<Item = &'c Container>) {
        let ids: HashSet<&str> = containers.map(|container| container.id.as_str()).collect();
        self.labels.retain(|id, _| ids.contains(id.as_str()));
    }
}
