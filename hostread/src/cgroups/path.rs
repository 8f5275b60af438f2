//! Paths of control groups.

/// The path of the group around `path`. `None` for a root, and for a group that is outside of this
/// process's cgroup namespace, where its parent has no name.
#[inline]
pub fn parent(path: &str) -> Option<&str> {
    let (parent, _) = path.rsplit_once('/')?;
    let is_root = parent.is_empty() || parent.ends_with("/..");
    match path {
        "/" => None,
        _ if path.ends_with("/..") => None,
        _ if is_root => Some("/").filter(|_| parent.is_empty()),
        _ => Some(parent),
    }
}

/// The paths of all groups around `path`, from the inside out.
#[inline]
pub fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |path| parent(path))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_group_outside_of_the_own_namespace_has_no_parent() {
        let parents = ["/a/b", "/a", "/", "/../a/b", "/../a", "/../..", "/.."].map(parent);
        assert_eq!(parents, [Some("/a"), Some("/"), None, Some("/../a"), None, None, None]);
    }

    proptest! {
        #[test]
        fn any_path_is_accepted(path in "[/.a]{0,9}") {
            let _ = ancestors(&path).count();
        }
    }
}
