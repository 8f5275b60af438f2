//! Container of a process, and the name that survives recreation of the container.

use std::collections::{HashMap, HashSet};

use hostread::{
    BlockingReader, Directory, ProcessKey, Seen,
    cgroups::ProcessCgroups,
    parse::{
        cgroup_path as path,
        container_label::{self, Label, UNNAMED},
        environ,
    },
};

/// Maximum bytes of an environment that are read.
const MAX_ENVIRON_BYTES: usize = 64 << 10;

/// File in which Kubernetes mounts the namespace of a pod, unless the pod has no service account
/// token. The token is in the same directory and is not read.
const NAMESPACE: &str = "root/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Container of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Id assigned by the container manager. For LXC and systemd-nspawn it is a name.
    pub id: String,
    /// Name of the container; `Here(None)` if no source has one.
    pub label: Seen<Option<Label>>,
}

impl Container {
    /// Returns the name of the container in roles.
    pub fn role(&self) -> &str {
        self.label().map_or(UNNAMED, |label| &label.role)
    }

    /// Returns the name of the container, if known.
    pub fn label(&self) -> Option<&Label> {
        match &self.label {
            Seen::Here(label) => label.as_ref(),
            _ => None,
        }
    }
}

/// Returns the Kubernetes namespace of a pod, if it has the file; `Late` or `Exhausted` if it could
/// not be read this time.
fn namespace(
    process: ProcessKey,
    directory: &Directory,
    blocking_reader: &mut BlockingReader,
    buffer: &mut Vec<u8>,
) -> Seen<Option<String>> {
    const MAX_BYTES: usize = 256;
    let keep = |text: &[u8]| environ::parse_name(text).unwrap_or_default().as_bytes().to_vec();
    match blocking_reader.read_file(directory, (process, NAMESPACE), MAX_BYTES, buffer, keep) {
        Seen::Late => Seen::Late,
        Seen::Exhausted => Seen::Exhausted,
        answer => Seen::Here(answer.here().and_then(environ::parse_name).map(str::to_owned)),
    }
}

/// Names of containers by id, kept between sweeps. A process that writes its title over its
/// environment no longer shows the name of its container, but other processes in the container do.
#[derive(Debug, Default)]
pub struct LabelCache {
    host: String,
    labels: HashMap<String, Label>,
}

impl LabelCache {
    /// Returns an empty cache for the host of that name.
    pub fn new(host: String) -> LabelCache {
        LabelCache { host, labels: HashMap::new() }
    }

    /// Returns the container of the process in `groups` with the `/proc` directory `directory`, if
    /// a group belongs to a container.
    pub fn container(
        &self,
        groups: &ProcessCgroups,
        process: ProcessKey,
        directory: &Directory,
        blocking_reader: &mut BlockingReader,
        buffer: &mut Vec<u8>,
    ) -> Option<Container> {
        let mut groups = groups.iter().map(|membership| membership.path.as_str());
        let (group, id) = groups.find_map(|group| Some((group, path::find_container(group)?.id)))?;
        let known = || container_label::from_path(group).or_else(|| self.labels.get(id).cloned());
        let label = match known() {
            Some(label) => Seen::Here(Some(label)),
            None => {
                let text = blocking_reader.read_file(
                    directory,
                    (process, "environ"),
                    MAX_ENVIRON_BYTES,
                    buffer,
                    environ::keep_container_names,
                );
                let text = text.map(<[u8]>::to_vec);
                text.and_then(|text| {
                    let mut names = environ::parse_container_names(&text);
                    names.is_kubernetes |= path::find_pod_uid(group).is_some();
                    let namespace = match names.namespace {
                        None if names.is_kubernetes => namespace(process, directory, blocking_reader, buffer),
                        _ => Seen::Here(None),
                    };
                    namespace.map(|namespace| {
                        let namespace = names.namespace.or(namespace.as_deref());
                        container_label::from_environment(
                            &environ::ContainerNames { namespace, ..names },
                            id,
                            &self.host,
                        )
                    })
                })
            }
        };
        Some(Container { id: id.to_owned(), label })
    }

    /// Returns whether the name of a container that had none has become known.
    pub fn has_new_label(&self, container: Option<&Container>) -> bool {
        container.is_some_and(|container| container.label().is_none() && self.labels.contains_key(&container.id))
    }

    /// Adds the name of a container.
    pub fn remember(&mut self, container: Option<&Container>) {
        if let Some(container) = container
            && let Some(label) = container.label()
            && !self.labels.contains_key(&container.id)
        {
            self.labels.insert(container.id.clone(), label.clone());
        }
    }

    /// Removes all containers but these.
    pub fn retain<'c>(&mut self, containers: impl Iterator<Item = &'c Container>) {
        let ids: HashSet<&str> = containers.map(|container| container.id.as_str()).collect();
        self.labels.retain(|id, _| ids.contains(id.as_str()));
    }
}
