//! The words of a snapshot: kinds of nodes and edges, units, forms and reasons.
//!
//! A record carries each of them as a string, so that a graph that did not come from `/proc` can
//! use its own words and a reader accepts the words of later versions.

/// Declares an enum whose values travel as strings and that keeps unknown words.
macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// A word that this version does not know. `from` gives a known word its own variant;
            /// do not build one by hand.
            Other(Box<str>),
        }

        impl $name {
            /// The word as records carry it.
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $text,)+
                    $name::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> $name {
                match word {
                    $($text => $name::$variant,)+
                    other => $name::Other(other.into()),
                }
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, word: &&str) -> bool {
                self.as_str() == *word
            }
        }

        impl Default for $name {
            /// The empty word.
            fn default() -> $name {
                $name::from("")
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Ord for $name {
            /// The order of the words.
            fn cmp(&self, other: &$name) -> std::cmp::Ordering {
                self.as_str().cmp(other.as_str())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &$name) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                deserializer.deserialize_str(WordVisitor(std::marker::PhantomData))
            }
        }
    };
}

/// Reads a word without an allocation where the word is known.
struct WordVisitor<T>(std::marker::PhantomData<T>);

impl<T: for<'a> From<&'a str>> serde::de::Visitor<'_> for WordVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a word")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<T, E> {
        Ok(T::from(word))
    }
}

open_enum! {
    /// What a node is.
    NodeKind {
        /// A process.
        Process = "process",
        /// A file, or a mounted filesystem.
        File = "file",
        /// A socket address that processes listen on or connect to.
        Endpoint = "endpoint",
        /// A control group.
        Cgroup = "cgroup",
        /// A resource of the whole host: CPU, memory, a disk, the network, the clock.
        System = "system",
    }
}

open_enum! {
    /// How the source of an edge depends on its target.
    EdgeKind {
        /// From a process to the process that started it.
        Parent = "parent",
        /// From a process to a file, a filesystem or an endpoint that it has open.
        Opens = "opens",
        /// From a process to a file that it holds a lock on.
        HoldsLock = "holds-lock",
        /// From a process to a file that it waits for a lock on.
        WaitsLock = "waits-lock",
        /// From a client to the process or endpoint that it is connected to.
        Connects = "connects",
        /// From the reader of a pipe to its writer.
        Pipes = "pipes",
        /// From a process, file or control group to the control group or filesystem that contains
        /// it.
        MemberOf = "member-of",
        /// From a blocked process to the process or filesystem that it waits for.
        WaitsFor = "waits-for",
    }
}

open_enum! {
    /// How an edge is known.
    EdgeBasis {
        /// The kernel reports it.
        Observed = "observed",
        /// It follows from other observations.
        Inferred = "inferred",
    }
}

open_enum! {
    /// The physical unit of a column.
    Unit {
        /// Bytes.
        Bytes = "B",
        /// Bytes per second.
        BytesPerSecond = "B/s",
        /// Milliseconds.
        Milliseconds = "ms",
        /// Percent of which more is worse.
        Percent = "percent",
        /// Percent of which less is worse, such as a success rate.
        PercentGood = "percent-good",
        /// A number of things.
        Count = "count",
        /// Events per second.
        PerSecond = "1/s",
        /// 1 if a condition holds, else 0.
        Flag = "flag",
    }
}

open_enum! {
    /// How the values of a column arise.
    Form {
        /// The value at the time of the sweep.
        Gauge = "gauge",
        /// The difference between two sweeps, divided by the time between them.
        Rate = "rate",
        /// A condition that holds or does not.
        Flag = "flag",
    }
}

open_enum! {
    /// Why a value is missing.
    MissingReason {
        /// Reading it takes more rights.
        Denied = "denied",
        /// It disappeared while it was read.
        Gone = "gone",
        /// This kernel or filesystem does not provide it.
        Unsupported = "unsupported",
        /// It did not arrive in time.
        Late = "late",
        /// The producer or the host ran out of file descriptors or memory.
        Exhausted = "exhausted",
        /// It is switched off, here or in the kernel, or left out on purpose.
        Off = "off",
        /// It takes two sweeps.
        FirstSweep = "first-sweep",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_word_becomes_its_variant_and_an_unknown_word_is_kept() {
        assert_eq!(NodeKind::from("cgroup"), NodeKind::Cgroup);
        assert_eq!(EdgeKind::from("waits-for").to_string(), "waits-for");
        let service: NodeKind = serde_json::from_str("\"service\"").unwrap();
        assert_eq!((service.as_str(), &service), ("service", &NodeKind::Other("service".into())));
        assert_eq!(serde_json::to_string(&service).unwrap(), "\"service\"");
    }

    #[test]
    fn words_are_ordered_as_text() {
        let mut kinds = [NodeKind::System, NodeKind::from("service"), NodeKind::Cgroup];
        kinds.sort();
        assert_eq!(kinds.map(|kind| kind.to_string()), ["cgroup", "service", "system"]);
    }
}
